"""Puts one account into a cluster by the tree of a run, and says the tree in words. No numpy: the bridge may do it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from core.segment.method import Words

CLASS = "user_class"
Node: TypeAlias = Mapping[str, Any]
Labels: TypeAlias = Mapping[str, tuple[str, str]]  # feature -> its name and unit


@dataclass(frozen=True)
class Span:
    """What a path says of one feature: over `low`, at most `high`; whether it is known; or which class it is."""

    feature: str
    low: float | None = None
    high: float | None = None
    is_known: bool | None = None
    is_class: str | None = None
    unknown: bool = True  # whether an account of which it is not known would come along, too


@dataclass(frozen=True)
class Leaf:
    """One leaf with the way to it."""

    cluster: int
    accounts: int
    share: float
    purity: float
    path: tuple[Span, ...]


def classify(tree: Node, values: Mapping[str, Any]) -> Leaf:
    """Return the leaf for an account's raw features (None: not known) and its user_class."""
    return _walk(tree, values, ())


def leaves(tree: Node, path: tuple[Span, ...] = ()) -> Iterator[Leaf]:
    """Yield all leaves, from left to right."""
    if "cluster" in tree:
        yield _leaf(tree, path)
    elif "classes" in tree:
        for name, node in tree["classes"].items():
            yield from leaves(node, (*path, Span(CLASS, is_class=name)))
    else:
        yield from leaves(tree["left"], _narrowed(path, tree, left=True))
        yield from leaves(tree["right"], _narrowed(path, tree, left=False))


def in_words(
    tree: Node, *, words: Words, labels: Labels, classes: Mapping[str, str], names: Sequence[str]
) -> list[str]:
    """Return the tree as sentences, one a leaf, the largest first."""
    found = sorted(leaves(tree), key=lambda one: -one.accounts)
    return [sentence(leaf, words=words, labels=labels, classes=classes, names=names) for leaf in found]


def sentence(leaf: Leaf, *, words: Words, labels: Labels, classes: Mapping[str, str], names: Sequence[str]) -> str:
    """Return one leaf as a sentence."""
    parts = [_condition(span, words, labels, classes) for span in leaf.path]
    return (words.rule if parts else words.rule_all).format(
        conditions=words.and_.join(parts), cluster=leaf.cluster + 1, name=names[leaf.cluster],
        share=words.share.format(value=100 * leaf.share), purity=words.share.format(value=100 * leaf.purity),
    )  # fmt: skip


def _walk(node: Node, values: Mapping[str, Any], path: tuple[Span, ...]) -> Leaf:
    if "cluster" in node:
        return _leaf(node, path)
    if "classes" in node:
        name = values.get(CLASS) if values.get(CLASS) in node["classes"] else node["else"]
        return _walk(node["classes"][name], values, (*path, Span(CLASS, is_class=name)))
    value = values.get(node["feature"])
    if value is None:
        left = node["unknown"] == "left"
    else:
        left = node["at_most"] is None or value <= node["at_most"]
    return _walk(node["left" if left else "right"], values, _narrowed(path, node, left=left))


def _leaf(node: Node, path: tuple[Span, ...]) -> Leaf:
    return Leaf(node["cluster"], node["accounts"], node["share"], node["purity"], path)


def _narrowed(path: tuple[Span, ...], node: Node, *, left: bool) -> tuple[Span, ...]:
    """Return the path with one more condition; several on one feature become one."""
    feature, limit = node["feature"], node["at_most"]
    before = next((span for span in path if span.feature == feature), Span(feature))
    if limit is None:
        narrowed = replace(before, is_known=left)
    else:
        narrowed = replace(before, high=limit) if left else replace(before, low=limit)
    goes_along = node["unknown"] == ("left" if left else "right")
    narrowed = replace(narrowed, unknown=before.unknown and goes_along)
    return (*(span for span in path if span.feature != feature), narrowed)


def _condition(span: Span, words: Words, labels: Labels, classes: Mapping[str, str]) -> str:
    if span.is_class is not None:
        return words.is_.format(name=words.class_name, value=classes.get(span.is_class, span.is_class))
    name, unit = labels.get(span.feature, (span.feature, ""))
    unit = "" if unit in words.no_unit else unit
    low, high = span.low, span.high
    if low is not None and high is not None:
        said = words.between.format(name=name, unit=unit, low=_figure(low), high=_figure(high))
    elif high is not None:
        said = words.at_most.format(name=name, unit=unit, value=_figure(high))
    elif low is not None:
        said = words.over.format(name=name, unit=unit, value=_figure(low))
    else:
        return (words.known if span.is_known else words.not_known).format(name=name)
    return said + (words.or_unknown if span.unknown else "")


def _figure(value: float) -> str:
    """Return a figure with three digits that count."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
