"""How the items behind the figures of customers are shown as rows: groups, and accounts with masked numbers."""

from __future__ import annotations

from core.insight.customers_items import Cell, Listed, Moved, Psi
from core.insight.kpi import Cell as Shown
from core.insight.kpi import Table
from core.insight.words import Words
from core.masking import mask_account_no

PORTRAIT = "/insight#/customers/accounts/id-"


def segment_name(key: str | None, words: Words) -> str:
    """Return what a segment is called; None: it was not there."""
    return words.value("segment", key or "none")


def class_name(key: str, words: Words) -> str:
    """Return what a class of users is called."""
    return words.value("user_class", key)


def _thin(one: Cell | Listed, words: Words) -> Shown:
    return words.value("thin", one.thin) if one.thin else None


CELLS = Table(
    columns={
        "segment": lambda one, words: segment_name(one.segment, words),
        "user_class": lambda one, words: class_name(one.user_class, words),
        "thin": _thin,
        "accounts": lambda one, _words: one.accounts,
        "kwh_year": lambda one, _words: round(one.kwh_year, 2),
        "fee_year": lambda one, _words: round(one.fee_year, 2),
    }
)
OWNERS = Table(
    columns={
        "segment": lambda one, words: segment_name(one.segment, words),
        "customers": lambda one, _words: one.customers,
    }
)
TAGS = Table(columns={"tag": lambda one, _words: one.name, "accounts": lambda one, _words: one.accounts})


def _changed(one: Moved, words: Words) -> Shown:
    return words.yes_no[one.before != one.after]


MOVES = Table(
    columns={
        "before": lambda one, words: segment_name(one.before, words),
        "after_run": lambda one, words: segment_name(one.after, words),
        "accounts": lambda one, _words: one.accounts,
        "changed": _changed,
    }
)
CLUSTERS = Table(
    columns={
        "cluster": lambda one, _words: one.name,
        "user_class": lambda one, _words: one.class_name,
        "accounts": lambda one, _words: one.size,
        "segment": lambda one, words: segment_name(one.segment, words),
        "majority_share": lambda one, _words: one.majority,
    }
)
TRIED = Table(
    columns={
        "user_class": lambda one, _words: one.class_name,
        "start": lambda one, _words: one.start,
        "k": lambda one, _words: one.k,
        "accounts": lambda one, _words: one.accounts,
        "silhouette": lambda one, _words: one.silhouette,
        "stability": lambda one, _words: one.stability,
        "chosen": lambda one, words: words.yes_no[one.chosen],
    }
)
RUNS = Table(columns={"as_of": lambda one, _words: one.as_of.isoformat(), "accounts": lambda one, _words: one.accounts})


def _word(one: Psi, words: Words) -> Shown:
    return words.value("psi", one.word)


FEATURES = Table(
    columns={
        "feature": lambda one, _words: one.name,
        "psi": lambda one, _words: one.value,
        "drift_word": _word,
    }
)
ACCOUNTS = Table(
    columns={
        "account_no": lambda one, _words: mask_account_no(one.account_no),
        "segment": lambda one, words: segment_name(one.segment, words),
        "district": lambda one, _words: one.district,
        "user_class": lambda one, words: class_name(one.user_class, words),
        "kwh_year": lambda one, _words: one.kwh_year,
        "fee_year": lambda one, _words: one.fee_year,
        "thin": _thin,
    },
    link=lambda one: f"{PORTRAIT}{one.account_id}",
)
