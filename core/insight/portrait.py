"""The portrait of one customer for staff: features with formula and place, segment with reasons, what happened since.

Everything is masked here already: names, numbers and addresses in clear never leave this module.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from core.account import Account, view_account
from core.clock import SHANGHAI
from core.fields import Keyring, UnreadableField
from core.insight.customers_facts import catalogue_of, segmentation_of
from core.insight.kpi import Sources
from core.insight.portrait_lately import Lately, lately_of
from core.insight.portrait_place import Peers, peers_of
from core.insight.portrait_words import PortraitWords, portrait_words
from core.insight.words import Words, words_of
from core.masking import mask_account_no
from core.portrait.catalogue import Catalogue
from core.portrait.tables import FEATURES, Portrait, PortraitEvent
from core.segment.classify import classify, sentence
from core.segment.method import Segmentation
from core.segment.rules import CLASSES, Rule
from core.segment.runs import published
from core.segment.standing import AccountStanding, counts_from, standing_of
from core.segment.tables import SegmentRun

BY_ID = "id-"  # before the id of an account: who opens one from a list has not seen its number


class NoPortrait(LookupError):
    """No account is known in the run in use by this number, or nothing is published yet."""


@dataclass(frozen=True)
class _One:
    """One portrait with what it is read with."""

    portrait: Portrait
    run: SegmentRun
    now: AccountStanding
    events: list[PortraitEvent]
    peers: Peers
    known: Segmentation
    catalogue: Catalogue
    words: Words
    said: PortraitWords


def portrait_json(sources: Sources, keyring: Keyring, wanted: str, *, now: datetime) -> dict[str, Any]:
    """Return the portrait of an account: by its number (户号), or by its id after `id-`.

    Raises:
        NoPortrait: if there is none.
    """
    with sources.bridge.reading() as session:
        one = _read(session, sources, wanted)
    portrait = one.portrait
    lately = lately_of(sources, portrait.customer_no, portrait.account_no, one.words, one.said, now=now)
    return {
        "ref": f"{BY_ID}{portrait.account_id}", "account_id": portrait.account_id, "as_of": one.run.as_of.isoformat(),
        "run_id": one.run.id, "shown": _shown(sources, keyring, one, lately), "thin": _thin(one),
        "standing": _standing(one), "tags": [_named(one, tag) for tag in one.now.tags],
        "compared": _compared(one), "dimensions": _dimensions(one), "events": [_event(one, row) for row in one.events],
        "recommendations": lately.recommendations, "campaigns": lately.campaigns, "orders": lately.orders,
        "contacts": lately.contacts, "counts": lately.counts,
    }  # fmt: skip


def account_of_customer(sources: Sources, customer_no: str) -> str:
    """Return the account of a customer with the highest fee, as `portrait_json` takes it.

    Raises:
        NoPortrait: if there is none.
    """
    with sources.bridge.reading() as session:
        run = published(session)
        query = select(Portrait.account_id).where(Portrait.run_id == (run.id if run else 0))
        mine = query.where(Portrait.customer_no == customer_no)
        found = session.scalar(mine.order_by(Portrait.fee_year.desc().nulls_last(), Portrait.account_id).limit(1))
    if found is None:
        raise NoPortrait(customer_no)
    return f"{BY_ID}{found}"


def find(session: Session, run: SegmentRun, wanted: str) -> Portrait | None:
    """Return a portrait of a run by the number of the account, or by its id after `id-`."""
    query = select(Portrait).where(Portrait.run_id == run.id)
    if wanted.startswith(BY_ID):
        number = wanted.removeprefix(BY_ID)
        if not (number.isascii() and number.isdigit() and len(number) < 10):
            return None
        return session.scalar(query.where(Portrait.account_id == int(number)))
    return session.scalar(query.where(Portrait.account_no == wanted))


def _read(session: Session, sources: Sources, wanted: str) -> _One:
    run = published(session)
    portrait = find(session, run, wanted) if run is not None else None
    if run is None or portrait is None:
        raise NoPortrait(mask_account_no(wanted))
    number, data_dir = portrait.account_no, sources.data_dir
    standing = standing_of(session, customer_no=None, account_nos=(number,))
    mine = next(one for one in standing.accounts if one.account_no == number)
    since = counts_from(run.as_of)
    events = select(PortraitEvent).where(PortraitEvent.account_no == number, PortraitEvent.at >= since)
    return _One(
        portrait=portrait, run=run, now=mine, peers=peers_of(sources.bridge, session, run.id, portrait.user_class),
        events=list(session.scalars(events.order_by(PortraitEvent.at.desc(), PortraitEvent.id.desc()))),
        known=segmentation_of(data_dir), catalogue=catalogue_of(data_dir), words=words_of(data_dir),
        said=portrait_words(data_dir),
    )  # fmt: skip


def _shown(sources: Sources, keyring: Keyring, one: _One, lately: Lately) -> dict[str, Any]:
    portrait, words, said = one.portrait, one.words, one.said
    name, address = _masked(sources, keyring, portrait.account_no)
    more = {
        "customer_kind": said.kinds.get(portrait.customer_kind, portrait.customer_kind),
        "area_class": words.value("area_class", portrait.area_class), **lately.told,
    }  # fmt: skip
    return {
        "account_no": mask_account_no(portrait.account_no), "customer": name, "address": address,
        "district": portrait.district, "user_class": words.value("user_class", portrait.user_class),
        "pay_channel": words.value("pay_channel", portrait.pay_channel) if portrait.pay_channel else None,
        "history_months": portrait.history_months, "more": [[said.more[key], value] for key, value in more.items()],
    }  # fmt: skip


def _masked(sources: Sources, keyring: Keyring, account_no: str) -> tuple[str | None, str | None]:
    """Return name and address, masked; None each where billing is away or the keys are gone."""
    try:
        with sources.billing.reading() as session:
            account = session.scalar(select(Account).where(Account.account_no == account_no))
            if account is None:
                return None, None
            view = view_account(account, keyring=keyring)
            return view.masked_name, view.masked_address
    except (SQLAlchemyError, UnreadableField):
        return None, None


def _thin(one: _One) -> str | None:
    return one.said.thin.get(one.portrait.thin, one.portrait.thin) if one.portrait.thin else None


def _named(one: _One, key: str) -> dict[str, str]:
    return {"key": key, "name": one.known.rules.name_of(key)}


def _standing(one: _One) -> dict[str, Any] | None:
    segment = one.now.segment
    if segment is None:
        return None
    changed = segment != one.portrait.segment and one.events
    since = one.events[0].at.astimezone(SHANGHAI).date() if changed else one.run.as_of
    return {
        "segment": segment, "name": one.known.rules.name_of(segment), "since": since.isoformat(),
        "reasons": list(_reasons(one)),
    }  # fmt: skip


def _reasons(one: _One) -> Iterator[str]:
    values = {name: getattr(one.portrait, name) for name in (*FEATURES, *CLASSES)}
    segment, rules = one.known.rules.segment_of(values, one.run.model.get("thresholds", {}))
    if segment == one.portrait.segment:
        yield from (_rule(one, rule, values) for rule in rules)
    if one.now.segment != one.portrait.segment and one.events:
        last = one.events[0]
        yield one.said.since_event.format(
            event=one.said.events.get(last.kind, last.kind), segment=one.known.rules.name_of(str(one.now.segment))
        )
    tree = one.run.model.get("tree")
    if one.portrait.cluster is not None and tree:
        labels = {feature.key: (feature.name, feature.unit) for feature in one.catalogue.features}
        yield sentence(
            classify(tree, values), words=one.known.words, labels=labels, classes=one.known.classes,
            names=one.run.model["names"],
        )  # fmt: skip


def _rule(one: _One, rule: Rule, values: Mapping[str, Any]) -> str:
    figures = one.said.joint.join(
        one.said.figure.format(
            name=one.catalogue[part.feature].name,
            value=one.said.value(values[part.feature], one.catalogue[part.feature].unit),
        )
        for part in rule.all if part.feature in FEATURES
    )  # fmt: skip
    return (one.said.reason if figures else one.said.plain_reason).format(rule=rule.words, figures=figures)


def _compared(one: _One) -> str:
    peers = one.peers
    pattern = one.said.sample if peers.sample < peers.count else one.said.whole
    return pattern.format(count=peers.count, sample=peers.sample)


def _dimensions(one: _One) -> list[dict[str, Any]]:
    return [
        {"key": key, "name": name, "features": [_feature(one, feature.key) for feature in one.catalogue.of(key)]}
        for key, name in one.catalogue.dimensions.items()
    ]


def _feature(one: _One, key: str) -> dict[str, Any]:
    feature, value, usual = one.catalogue[key], getattr(one.portrait, key), one.peers.usual(key)
    return {
        "key": key, "name": feature.name, "value": value, "text": one.said.value(value, feature.unit),
        "unit": feature.unit, "formula": feature.formula, "source": feature.source, "note": feature.note or None,
        "usual": None if usual is None else one.said.value(usual, feature.unit),
        "percentile": one.peers.percentile(key, value),
    }  # fmt: skip


def _event(one: _One, row: PortraitEvent) -> dict[str, Any]:
    parts = [one.said.event_yuan.format(yuan=float(row.data["yuan"]))] if "yuan" in row.data else []
    parts += [one.said.event_segment.format(segment=one.known.rules.name_of(row.segment))] if row.segment else []
    parts += [one.known.rules.name_of(tag) for tag in row.tags]
    return {
        "at": row.at.astimezone(SHANGHAI).isoformat(), "kind": row.kind,
        "name": one.said.events.get(row.kind, row.kind), "text": one.said.joint.join(parts),
    }  # fmt: skip
