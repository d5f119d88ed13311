"""Where a customer means: an account's supply point, or an address in words matched against the network.

People write addresses as they speak: without the city, without the district, 三栋 or 3幢 or 3号楼, in full width. The
name of a compound alone is enough where only one has it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.network import NetworkNode, SupplyPoint, node_of, transformers
from core.text import folded

MOST_CANDIDATES = 6
_DIGITS = {char: value for value, char in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2, "幺": 1}
_UNIT_WORD = r"号楼|号院|号|栋|幢|座|单元|组|队|期|楼|层|室|路|街|弄|桥|#"
_NUMERAL = re.compile(rf"([零〇一二两三四五六七八九十百幺]+)(?={_UNIT_WORD})")
_BUILDING = re.compile(r"(\d{1,3})(?:栋|幢|座|号楼|#)")
_ENTRANCE = re.compile(r"(\d{1,2})(?:单元|门栋)")
_GROUP = re.compile(r"(\d{1,3})(?:组|队)")
_HOUSE = re.compile(r"(\d{1,4})号(?!楼|院|线|变)")
_HYPHENED = re.compile(r"(?<!\d)(\d{1,2})-(\d{1,2})-\d{3,4}(?!\d)")
_AREA_END = re.compile(r"(?:新区|区|县|市)$")
# What people leave off or put behind the name of a compound.
_GENERIC_END = re.compile(r"(?:小区|花园|家园|新村|新苑|社区|村)$")
_SHORTEST = 2
# A district of which the network knows nothing (江夏区…), at the beginning or behind what may stand before one.
_FOREIGN = re.compile(
    r"(?:^|[市省州汉在住到是，,。 ])([一-龥]{1,2}[^小社园校厂景片城郊地山院矿林们个每][区县])(?![域内里])"
)
# 汉阳大道 names a road, not the district.
_NO_DISTRICT = r"(?!大?道|路|街|站|桥|门|里|村)"
_CAREFUL = ("remote", "rural", "city")  # area classes, the longest promise first


@dataclass(frozen=True)
class Place:
    """A place in the network, or a text that the network does not know (no `codes`).

    `codes` are the transformers that may supply it: more than one if the building was not said. `premises` tells
    premises apart when reports are counted; None if what was said is not exact enough for that.
    """

    area: str
    codes: tuple[str, ...] = ()
    area_class: str | None = None
    district: str | None = None
    building: str | None = None
    premises: str | None = None
    owner: str = "grid"
    text: str = ""

    @property
    def known(self) -> bool:
        """Whether the network has it."""
        return bool(self.codes)

    @property
    def code(self) -> str | None:
        """The one transformer that supplies it, None if that is not clear."""
        return self.codes[0] if len(self.codes) == 1 else None


@dataclass(frozen=True)
class _Said:
    """An address as it was read: names found in it, and numbers."""

    text: str
    building: int | None
    entrance: int | None
    group: int | None
    house: int | None


def locate(session: Session, *, account_no: str | None = None, address_text: str | None = None) -> Place | list[Place]:
    """Return the place, or several to choose from.

    By account number first; an account that the network does not know is looked for by its address, if one is given.
    A district that is named binds: a name that only another district has is not found. A place that is not found keeps
    its text, with the area class of its district if the network knows that. Whether the asker may know of the account
    is for the caller to decide.
    """
    if account_no is not None:
        point = session.scalar(select(SupplyPoint).where(SupplyPoint.account_no == account_no))
        if point is not None:
            return _of_point(session, point, account_no)
    if not address_text:
        return Place(area="")
    return _by_words(session, address_text)


def comparable(text: str) -> str:
    """Return an address for comparing: one width, no blanks, numbers of houses and roads in digits."""
    return _NUMERAL.sub(lambda match: str(_number(match[1])), folded(text))


def _of_point(session: Session, point: SupplyPoint, account_no: str) -> Place:
    node = node_of(session, point.transformer_code)
    building = (point.building or "") + (point.unit or "")
    return Place(
        node.area, (node.code,), node.area_class, node.district, building or None, f"account:{account_no}", node.owner
    )


def _by_words(session: Session, text: str) -> Place | list[Place]:
    said = _read(text)
    nodes = transformers(session)
    named, rest = _named(nodes, said.text)
    if not named:
        return _unknown(nodes, said, text)
    in_district = [node for node in named if _stem(comparable(node.district)) in rest]
    if not in_district and _elsewhere(nodes, rest):
        return _unknown(nodes, said, text)
    fitting = _narrowed(in_district or named, rest)
    groups: dict[str, list[NetworkNode]] = {}
    for node in fitting:
        groups.setdefault(node.area, []).append(node)
    places = [_place(found, said, text) for found in groups.values()]
    return places[0] if len(places) == 1 else places[:MOST_CANDIDATES]


def _unknown(nodes: Sequence[NetworkNode], said: _Said, text: str) -> Place:
    """Return a place that is not found: in a district of several area classes its town decides, else the longest."""
    district = _district(nodes, said.text)
    there = _narrowed([node for node in nodes if node.district == district], said.text)
    classes = {node.area_class for node in there}
    area_class = next((one for one in _CAREFUL if one in classes), None)
    return Place(area=text.strip(), area_class=area_class, district=district, text=text)


def _elsewhere(nodes: Sequence[NetworkNode], text: str) -> bool:
    """Tell whether a district is named at all (none of those of the name that was found)."""
    stems = {_stem(comparable(node.district)) for node in nodes}
    return any(re.search(stem + _NO_DISTRICT, text) for stem in stems) or bool(_FOREIGN.search(text))


def _district(nodes: Sequence[NetworkNode], text: str) -> str | None:
    """Return the district that is named, if it is just one that the network knows."""
    if _FOREIGN.search(text) and not any(comparable(node.district) in text for node in nodes):
        return None
    found = {node.district for node in nodes if _stem(comparable(node.district)) in text}
    return found.pop() if len(found) == 1 else None


def _read(text: str) -> _Said:
    plain = comparable(text)
    hyphened = _HYPHENED.search(plain)
    building = _first(_BUILDING, plain) or (int(hyphened[1]) if hyphened else None)
    entrance = _first(_ENTRANCE, plain) or (int(hyphened[2]) if hyphened else None)
    return _Said(plain, building, entrance, _first(_GROUP, plain), _first(_HOUSE, plain))


def _named(nodes: Sequence[NetworkNode], text: str) -> tuple[list[NetworkNode], str]:
    """Return the transformers of the compound, village or road that is named, and the text without that name.

    A compound counts before a road, a whole name before a shortened one, the longest name before those inside it.
    """
    for names in (
        {node.place: node.place for node in nodes if node.place},
        {_GENERIC_END.sub("", node.place): node.place for node in nodes if node.place},
    ):
        found = _longest(names, text)
        if found:
            name, place = found
            return [node for node in nodes if node.place == place], text.replace(name, " ")
    found = _longest({node.road: node.road for node in nodes if node.road}, text)
    if found is None:
        return [], text
    name, road = found
    return [node for node in nodes if node.place is None and node.road == road], text.replace(name, " ")


def _longest(names: dict[str, str], text: str) -> tuple[str, str] | None:
    found = [(comparable(name), whole) for name, whole in names.items() if comparable(name) in text]
    fitting = [pair for pair in found if len(pair[0]) >= _SHORTEST]
    return max(fitting, key=lambda pair: len(pair[0]), default=None)


def _narrowed(nodes: list[NetworkNode], text: str) -> list[NetworkNode]:
    """Keep those whose town or road is named too, if any is: a village name comes in several towns."""
    by_road = [node for node in nodes if node.road and comparable(node.road) in text]
    return by_road or nodes


def _place(nodes: list[NetworkNode], said: _Said, text: str) -> Place:
    first = nodes[0]
    number = said.house if first.place is None else said.building if first.area_class == "city" else said.group
    holding = [node for node in nodes if node.holds(number)] or nodes
    return Place(
        area=first.area,
        codes=tuple(node.code for node in holding),
        area_class=first.area_class,
        district=first.district,
        building=_building(first, said),
        premises=_premises(first, said),
        owner=holding[0].owner,
        text=text,
    )


def _building(node: NetworkNode, said: _Said) -> str | None:
    if node.place is None:
        return f"{said.house}号" if said.house is not None else None
    if node.area_class != "city":
        return f"{said.group}组" if said.group is not None else None
    unit = f"{said.entrance}单元" if said.entrance is not None else ""
    return f"{said.building}栋{unit}" if said.building is not None else None


def _premises(node: NetworkNode, said: _Said) -> str | None:
    """Return what tells premises apart, a hash: a house number in a village is a family's address."""
    rural = node.place is not None and node.area_class != "city"
    parts = (said.group, said.house) if rural else (said.building, said.entrance, said.house)
    if (said.house if rural or node.place is None else said.building) is None:
        return None
    return "address:" + hashlib.sha256(f"{node.area}|{parts}".encode()).hexdigest()[:24]


def _first(pattern: re.Pattern[str], text: str) -> int | None:
    match = pattern.search(text)
    return int(match[1]) if match else None


def _stem(name: str) -> str:
    short = _AREA_END.sub("", name)
    return short if len(short) >= _SHORTEST else name


def _number(numeral: str) -> int:
    """Return the value of a Chinese numeral below a thousand: 十二, 二百一十二, or digit by digit (二一二)."""
    if not re.search("[十百]", numeral):
        return int("".join(str(_DIGITS[char]) for char in numeral))
    total = digit = 0
    for char in numeral:
        if char in _DIGITS:
            digit = _DIGITS[char]
            continue
        total += (digit or 1) * (100 if char == "百" else 10)
        digit = 0
    return total + digit
