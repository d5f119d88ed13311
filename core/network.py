"""The supply network (台区 and what feeds it) as far as customer service needs it: who loses power together.

A substation feeds feeders (馈线), a feeder transformers (配变), a transformer supply points. Nothing personal stands
here: a supply point knows its account number, its building and its unit, neither a name nor a room.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from sqlalchemy import CheckConstraint, ForeignKey, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import WorkOrderBase

SUBSTATION, FEEDER, TRANSFORMER = "substation", "feeder", "transformer"
NodeKind = Literal["substation", "feeder", "transformer"]
GRID, PROPERTY = "grid", "property"


class UnknownNode(Exception):
    """No node of the network has this code."""


class NetworkNode(WorkOrderBase):
    """A substation, a feeder or a transformer; a transformer knows which place, road and buildings it supplies.

    `place` is a compound or a village, `road` its street or town. `first_building` to `last_building` are buildings of
    a compound, groups (组) of a village or house numbers of a road; empty where there is but one transformer.
    """

    __tablename__ = "network_nodes"
    __table_args__ = (CheckConstraint("kind in ('substation', 'feeder', 'transformer')", name="node_kind"),)
    code: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(12))
    name: Mapped[str] = mapped_column(String(60))
    parent_code: Mapped[str | None] = mapped_column(ForeignKey("network_nodes.code"), index=True)
    district: Mapped[str] = mapped_column(String(40), index=True)
    road: Mapped[str | None] = mapped_column(String(40))
    place: Mapped[str | None] = mapped_column(String(40), index=True)
    first_building: Mapped[int | None]
    last_building: Mapped[int | None]
    area_class: Mapped[str] = mapped_column(String(8))  # city | rural | remote, of the service promises
    owner: Mapped[str] = mapped_column(String(8), default=GRID)  # grid | property

    @property
    def area(self) -> str:
        """What customers call the place: district with compound, with town and village, or with road."""
        in_town = self.area_class != "city" and self.place is not None
        parts = (self.district, self.road if in_town or self.place is None else None, self.place)
        return "".join(part for part in parts if part)

    @property
    def reach(self) -> str:
        """The area with the buildings, groups or house numbers of it that this transformer supplies."""
        if self.first_building is None or self.last_building is None:
            return self.area
        unit = "号" if self.place is None else "栋" if self.area_class == "city" else "组"
        return f"{self.area}（{self.first_building}到{self.last_building}{unit}）"

    def holds(self, building: int | None) -> bool:
        """Tell whether it may supply the building (one whose number is not known: yes)."""
        if building is None or self.first_building is None or self.last_building is None:
            return True
        return self.first_building <= building <= self.last_building


class SupplyPoint(WorkOrderBase):
    """Where a transformer supplies an account."""

    __tablename__ = "supply_points"
    id: Mapped[int] = mapped_column(primary_key=True)
    account_no: Mapped[str | None] = mapped_column(String(13), unique=True)
    transformer_code: Mapped[str] = mapped_column(ForeignKey("network_nodes.code"), index=True)
    building: Mapped[str | None] = mapped_column(String(20))
    unit: Mapped[str | None] = mapped_column(String(10))


def node_of(session: Session, code: str) -> NetworkNode:
    """Return a node by its code.

    Raises:
        UnknownNode: if there is none.
    """
    node = session.get(NetworkNode, code)
    if node is None:
        raise UnknownNode(code)
    return node


def transformers(session: Session) -> list[NetworkNode]:
    """Return all transformers in the order of their codes."""
    query = select(NetworkNode).where(NetworkNode.kind == TRANSFORMER).order_by(NetworkNode.code)
    return list(session.scalars(query))


def with_feeds(session: Session, codes: Iterable[str]) -> set[str]:
    """Return the codes with those of all nodes that feed them, up to the substation."""
    known: set[str] = set()
    above = set(codes)
    while above:
        known |= above
        parents = session.scalars(select(NetworkNode.parent_code).where(NetworkNode.code.in_(above)))
        above = {code for code in parents if code is not None} - known
    return known


def below(session: Session, codes: Iterable[str]) -> list[NetworkNode]:
    """Return the transformers that lose power when these nodes do, in the order of their codes."""
    dark = set(codes)
    reached = dark
    while reached:
        found = set(session.scalars(select(NetworkNode.code).where(NetworkNode.parent_code.in_(reached))))
        reached = found - dark
        dark |= reached
    return [node for node in transformers(session) if node.code in dark]
