"""The supply network of the demonstration region.

It follows from `places.yaml` alone and never changes: one feeder for each road or town, one or two transformers for
each compound, village and road. Supply points follow from the accounts' addresses, outages from `now`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import Random

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.account import Account, address_context
from core.db import Database
from core.demo import demo_customers
from core.fields import Keyring
from core.network import FEEDER, GRID, PROPERTY, SUBSTATION, TRANSFORMER, NetworkNode, SupplyPoint, transformers
from core.outage import Outage, OutageNode, OutageReport, OutageSubscriber
from core.seed.outages import write_outages
from core.seed.region import DEMO_DATA, District, load_region

LAST_BUILDING, LAST_HOUSE, LAST_GROUP = 18, 299, 6
_AREA_LETTERS = {"city": "C", "rural": "R", "remote": "M"}  # a county has two areas under one code
_TOWN_END = re.compile("[镇乡]$")
_ADDRESS = re.compile(
    r"(?P<road>[^市省县区]+?(?:路|大道|大街|街|镇|乡))(?:(?P<house>\d+)号)?"
    r"(?:(?P<place>\D+?)(?:(?P<building>\d+)栋(?P<unit>\d+)单元\d+室|(?P<group>\d+)组\d+号))?$"
)
_DISTRICT = re.compile(r"^(?:湖北省|武汉市)?(?P<district>[^市省]+?[区县])")


@dataclass(frozen=True)
class NetworkSummary:
    """What was written, and which demonstration customer (by id) lives in an outage now, soon, or a suspected one."""

    nodes: int
    supply_points: int
    outages: int
    out_now: str | None
    out_soon: str | None
    suspected: str | None


def seed_network(
    workorder: Database, billing: Database, *, keyring: Keyring, now: datetime, directory: Path = DEMO_DATA
) -> NetworkSummary:
    """Write the network, supply points and outages anew; the same `now` gives the same content.

    Raises DemoDataError for a wrong description of the region.
    """
    region = load_region(directory)
    with billing.reading() as session:
        points = list(_supply_points(session, keyring))
        known = demo_customers(session, directory=directory)
    with workorder.transaction() as session:
        _empty(session)
        nodes = [node for district in region.districts for node in nodes_of(district)]
        for kind in (SUBSTATION, FEEDER, TRANSFORMER):
            session.add_all(one for one in _once(nodes) if one.kind == kind)
            session.flush()
        connected = _connect(session, points)
        session.flush()
        made = write_outages(session, _once(nodes), connected, known, now)
        return NetworkSummary(len(_once(nodes)), len(connected), **made)


def nodes_of(district: District) -> Iterator[NetworkNode]:
    """Yield the nodes of a district; roads of rural ones are towns, each with all villages."""
    code = f"{district.code}{_AREA_LETTERS[district.area]}"
    substation = f"S{code}"
    short = district.name.removesuffix("区").removesuffix("县")
    yield _node(substation, SUBSTATION, f"{short}变电站", None, district)
    for index, road in enumerate(district.roads):
        feeder = f"F{code}{index + 1}"
        yield _node(feeder, FEEDER, f"{_TOWN_END.sub('', road)}线", substation, district, road=road)
        if district.area == "city":
            yield from _halves(f"T{code}R{index + 1}", feeder, district, road, None, LAST_HOUSE)
        else:
            for number, village in enumerate(district.places):
                yield from _halves(f"T{code}{index + 1}P{number + 1}", feeder, district, road, village, LAST_GROUP)
    if district.area == "city":
        for number, place in enumerate(district.places):
            road = district.roads[number % len(district.roads)]
            feeder = f"F{code}{number % len(district.roads) + 1}"
            yield from _halves(f"T{code}P{number + 1}", feeder, district, road, place, LAST_BUILDING)


def _halves(
    code: str, feeder: str, district: District, road: str, place: str | None, last: int
) -> Iterator[NetworkNode]:
    """Yield the one transformer of a place, or the two that share its buildings (every second place has two)."""
    name, rng = place or road, Random(f"{code}:network")
    owner = PROPERTY if place is not None and district.area == "city" and rng.random() < 0.15 else GRID
    if rng.random() < 0.5:
        yield _node(f"{code}-1", TRANSFORMER, f"{name}公变", feeder, district, road=road, place=place, owner=owner)
        return
    for number, (low, high) in enumerate(((1, last // 2), (last // 2 + 1, last)), 1):
        yield _node(
            f"{code}-{number}", TRANSFORMER, f"{name}{number}号公变", feeder, district, road=road, place=place,
            owner=owner, first=low, last=high,
        )  # fmt: skip


def _node(
    code: str, kind: str, name: str, parent: str | None, district: District, *, road: str | None = None,
    place: str | None = None, owner: str = GRID, first: int | None = None, last: int | None = None,
) -> NetworkNode:  # fmt: skip
    return NetworkNode(
        code=code, kind=kind, name=name, parent_code=parent, district=district.name, road=road, place=place,
        area_class=district.area, owner=owner, first_building=first, last_building=last,
    )  # fmt: skip


def _once(nodes: Sequence[NetworkNode]) -> list[NetworkNode]:
    return list({node.code: node for node in nodes}.values())


def _empty(session: Session) -> None:
    for table in (OutageSubscriber, OutageReport, OutageNode, Outage, SupplyPoint):
        session.execute(delete(table))
    for kind in (TRANSFORMER, FEEDER, SUBSTATION):
        session.execute(delete(NetworkNode).where(NetworkNode.kind == kind))


def _supply_points(session: Session, keyring: Keyring) -> Iterator[tuple[str, str]]:
    """Yield the number and the address of each open account."""
    query = select(Account.account_no, Account.address_cipher).where(Account.closed_on.is_(None)).order_by(Account.id)
    for account_no, cipher in session.execute(query):
        yield account_no, keyring.decrypt(cipher, address_context(account_no))


def _connect(session: Session, accounts: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Write the supply points; return the transformer of each account."""
    all_of = transformers(session)
    connected = {}
    for account_no, address in accounts:
        found = _transformer(all_of, address)
        if found is not None:
            node, building, unit = found
            session.add(SupplyPoint(account_no=account_no, transformer_code=node.code, building=building, unit=unit))
            connected[account_no] = node.code
    return connected


def _transformer(
    nodes: Sequence[NetworkNode], address: str
) -> tuple[NetworkNode, str | None, str | None] | None:  # fmt: skip
    """Return the transformer that supplies an address of the region, its building and unit."""
    district = _DISTRICT.match(address)
    match = _ADDRESS.search(address[district.end() :]) if district else None
    if district is None or match is None:
        return None
    said = match["building"] or match["group"] or (match["house"] if match["place"] is None else None)
    for node in nodes:
        same_road = node.road == match["road"] or (node.area_class == "city" and node.place is not None)
        if (
            node.district == district["district"]
            and node.place == match["place"]
            and same_road
            and node.holds(int(said) if said else None)
        ):
            return node, _building(match), f"{match['unit']}单元" if match["unit"] else None
    return None


def _building(match: re.Match[str]) -> str | None:
    if match["building"]:
        return f"{match['building']}栋"
    # A house number in a village is one family's: the group is near enough.
    return f"{match['group']}组" if match["group"] else f"{match['house']}号"
