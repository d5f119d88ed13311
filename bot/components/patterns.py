"""Rasa component that adds the entities whose form gives them away: numbers, money, energy, capacity."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.shared.nlu.training_data.message import Message

from bot.language.numbers import NotANumber, fold, read_digits, read_number, read_yuan

from .rule_extractor import Entity, RuleExtractor

_CN = "[零〇一二两三四五六七八九十百千万]"
_NUMBER = rf"(?:[0-9]{{1,3}}(?:,[0-9]{{3}})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?(?:[万千百](?:[0-9]千?)?)?|{_CN}+)"
_ALONE = r"(?<![0-9.A-Za-z几数好零〇一二两三四五六七八九十百千万第])"
_SPOKEN = "[0-9零〇一幺妖二两三四五六七八九洞拐]"
_RUN = re.compile(rf"(?<![0-9A-Za-z.]){_SPOKEN}(?:[ ,、-]?{_SPOKEN}){{9,40}}(?![0-9A-Za-z]|\.[0-9])")
_GROUP = re.compile(rf"{_SPOKEN}+")
_PRINTED_ORDER = re.compile(r"(?<![0-9A-Za-z])(?!NO)[A-Za-z]{1,4}-?[0-9]{8,18}(?![0-9A-Za-z])", re.IGNORECASE)
_DATED = re.compile(r"20[1-3][0-9](?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{6}")
_WRITTEN_DATE = re.compile(r"20[0-9]{2}-[0-9]{1,2}-[0-9]{1,2}(?![0-9])")
_LANDLINE = re.compile(r"0[0-9]{2,3}-[0-9]{7,8}|[48]00-[0-9]{3,4}-?[0-9]{3,4}")
_NUMBERS = (
    ("work_order_no", _DATED),
    ("phone", re.compile("(?:86)?(1[3-9][0-9]{9})")),
    ("account_no", re.compile("[0-9]{10}|[0-9]{13}")),
)

_CAPACITY = re.compile(
    rf"{_ALONE}(?P<n>{_NUMBER})(?:来|多)?[ 个]?"
    r"(?P<unit>k ?va|千伏安|mva|兆伏安|kw|千瓦|mw|兆瓦|瓦|w)(?![a-z]| ?时|小时|[·.*]?h)",
    re.IGNORECASE,
)
_UNITS = {
    "kva": (1, "kVA"), "千伏安": (1, "kVA"), "mva": (1000, "kVA"), "兆伏安": (1000, "kVA"),
    "kw": (1, "kW"), "千瓦": (1, "kW"), "mw": (1000, "kW"), "兆瓦": (1000, "kW"),
    "瓦": (Decimal("0.001"), "kW"), "w": (Decimal("0.001"), "kW"),
}  # fmt: skip
_TRANSFORMER = re.compile("变压器|变呀器|主变|箱变|专变|台变|容量|增容|扩容|减容")
_RATINGS = {
    30,
    50,
    63,
    80,
    100,
    125,
    160,
    200,
    250,
    315,
    400,
    500,
    630,
    800,
    1000,
    1250,
    1600,
    2000,
    2500,
    3150,
}
_BARE_RATING = re.compile(rf"{_ALONE}(?P<n>[0-9]{{2,4}}|{_CN}{{2,7}})(?=的|变压器|主变|箱变|专变|增|换|扩|减|改|到|$)")
_RATING_AFTER = re.compile(
    rf"(?:[到成为换用]|容量是?)(?P<n>[0-9]{{2,4}}|{_CN}{{2,7}})"
    rf"(?![0-9.]|{_CN}| ?[块元度%户天月年号点个人千k万])"
)

_ENERGY = re.compile(
    rf"{_ALONE}(?P<n>{_NUMBER})(?:多|来)?[ 个]?(?:度电?(?!数)|kwh|kw[·.*]h|千瓦时|千瓦小时)", re.IGNORECASE
)
_WARMTH = re.compile("空调|温度|气温|水温|室温|制冷|制热|发烧|恒温|开到|调到|高温|零下|天气")
_WARMEST = 45

_VERB = (
    "(?:充值?|交|缴|扣|收|付|转|存|花|退|欠|差|补|罚|赔|垫|少|还|省|电费|话费|费用|账单|余额|押金"
    "|月租|房租|租金|违约金|[涨降掉]到)"
    "(?:了|我们?|你们?|他们?|您|人家|款|费|进去?|过|是|要|就|才|都|有|到|的|又|大概|至少|起码|差不多|快|只|得|从){0,4}"
)
_NO_UNIT = (
    "(?![0-9.]|[几零〇一二两三四五六七八九十百千万]| ?(?:度|号|个|月|天|次|年|日|点|户|楼|栋|层"
    "|千瓦|kw|kva|瓦|%|分|倍"
    "|位|台|档|路|成|遍|回|期|趟|家|人|张|份|盏|季|级|相|安|伏|米|平|平方|周|星期|礼拜|半|kwh|小时|秒|条|只|口|间|岁"
    "|笔|种|项|步|场|块|元|角|毛|起|下|样|直|般|定|共|切|些|边|会|手|:|-))"
)
_MONEY = tuple(
    re.compile(source, re.IGNORECASE)
    for source in (
        rf"[¥￥] ?(?P<n>{_NUMBER})(?:元|块钱?)?",
        rf"{_ALONE}(?P<n>{_NUMBER})[多来]?(?:块(?!儿|表|电表|地|板|屏|砖|牌|光伏|组件|电池|去|住)|元(?!月|旦)|圆|rmb|人民币)"
        r"(?P<tail>零?[0-9一二两三四五六七八九](?:[毛角]?[0-9一二三四五六七八九]分?|[毛角])?(?![0-9度]|个|天|次|[十百千万]))?钱?",
        rf"{_ALONE}(?P<n>[0-9一二两三四五六七八九])(?P<tail>[毛角](?:[0-9一二三四五六七八九](?![0-9])分?)?)钱?",
        rf"{_ALONE}(?P<n>[0-9一二两三四五六七八九])(?P<tail>分)钱",
        rf"{_VERB}(?P<n>{_NUMBER}){_NO_UNIT}",
        rf"{_ALONE}(?P<n>[一二两三四五六七八九][百千万][一二三四五六七八九]){_NO_UNIT}",
    )
)
_PIECE = re.compile("[这那哪每方整几半大某]$")


class Found(NamedTuple):
    """One entity at text[start:end] with its normal value."""

    kind: str
    value: str
    start: int
    end: int


def find_patterns(text: str) -> list[Found]:
    """Return the entities of fixed form in a message, in order; spans never overlap, nothing is raised."""
    masked = plain = fold(text)
    found: list[Found] = []
    for reader in (_numbers, _capacities, _energies, _amounts):
        for item in reader(masked, plain):
            if "\0" not in masked[item.start : item.end]:
                found.append(item)
                masked = masked[: item.start] + "\0" * (item.end - item.start) + masked[item.end :]
    return sorted(found, key=lambda item: item.start)


def _numbers(text: str, plain: str) -> Iterator[Found]:
    for match in _PRINTED_ORDER.finditer(text):
        yield Found("work_order_no", match[0].upper(), match.start(), match.end())
    for run in _RUN.finditer(text):
        dictated = any(char not in "0123456789 ,-、" for char in run[0])
        if (dictated or not re.search("[,、]", run[0])) and not _LANDLINE.search(run[0]):
            skip = _WRITTEN_DATE.match(run[0])
            yield from _in_run(text, run.start() + (skip.end() if skip else 0), run.end())


def _in_run(text: str, start: int, end: int) -> Iterator[Found]:
    """Split a run of digit groups into the numbers it holds, the longest first (4201 2345 67 is one)."""
    groups = [(group.start(), group.end()) for group in _GROUP.finditer(text, start, end)]
    index = 0
    while index < len(groups):
        for stop in range(min(len(groups), index + 14), index, -1):
            span = groups[index][0], groups[stop - 1][1]
            item = _classify(read_digits(text[span[0] : span[1]]), *span)
            if item:
                yield item
                index = stop - 1
                break
        index += 1


def _classify(digits: str, start: int, end: int) -> Found | None:
    for kind, form in _NUMBERS:
        match = form.fullmatch(digits)
        if match:
            return Found(kind, match[match.lastindex or 0], start, end)
    return None


def _capacities(text: str, plain: str) -> Iterator[Found]:
    for match in _CAPACITY.finditer(text):
        factor, unit = _UNITS[match["unit"].lower().replace(" ", "")]
        number = _number(match["n"])
        if number is not None:
            yield Found("capacity", f"{_bare(number * factor)}{unit}", match.start(), match.end())
    if _TRANSFORMER.search(plain):
        for match in (*_BARE_RATING.finditer(text), *_RATING_AFTER.finditer(text)):
            number = _number(match["n"])
            if number in _RATINGS:
                yield Found("capacity", f"{_bare(number)}kVA", match.start("n"), match.end("n"))


def _energies(text: str, plain: str) -> Iterator[Found]:
    for match in _ENERGY.finditer(text):
        number = _number(match["n"])
        per_unit = match["n"] == "一" or (
            match["n"][-1] == "一" and plain[match.start() - 1 : match.start()] in ("毛", "角", "块")
        )
        if number is None or per_unit:  # 一度, 五毛八一度 name a price
            continue
        if number > _WARMEST or "度" not in match[0] or "度电" in match[0] or not _WARMTH.search(plain):
            yield Found("energy", _bare(number), match.start(), match.end())


def _amounts(text: str, plain: str) -> Iterator[Found]:
    for pattern in _MONEY:
        for match in pattern.finditer(text):
            start, end = match.start("n"), match.end()
            if _PIECE.search(plain[:start]) or (match[0] in ("一块", "1块") and not _priced(plain, start, end)):
                continue
            try:
                yuan = read_yuan(_without_about(text[start:end]))
            except NotANumber:
                continue
            yield Found("amount", f"{yuan:.2f}", match.start() if text[match.start()] in "¥￥" else start, end)


def _priced(plain: str, start: int, end: int) -> bool:
    return bool(re.search(f"(?:{_VERB}|度|涨)$", plain[:start])) or plain.startswith("一度", end)


def _without_about(span: str) -> str:
    return re.sub(
        "[多来]|人民币|rmb|钱",
        lambda match: "元" if match[0].lower() in ("人民币", "rmb") else "",
        span,
        flags=re.I,
    )


def _number(span: str) -> Decimal | None:
    try:
        return read_number(span)
    except NotANumber:
        return None


def _bare(number: Decimal) -> str:
    return f"{number:f}".rstrip("0").rstrip(".") if number % 1 else f"{number:.0f}"


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR, is_trainable=False)
class PatternExtractor(RuleExtractor):
    """Adds account_no, phone, work_order_no, amount, energy and capacity."""

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """`entities`: the kinds to look for, none meaning all."""
        return {"entities": None}

    def _read(self, text: str, earlier: list[Entity], message: Message) -> list[Entity]:
        wanted = self._config["entities"]
        found = [item for item in find_patterns(text) if not wanted or item.kind in wanted]
        return earlier + [self._entity(*item) for item in found]
