"""What customers wrote without anything that points at somebody: for people who review it and models that learn it.

The redactor of the desk leaves enough of a number or name to recognise it by (138****0000, 王*明). Here nothing of it
is to be recognised: what it found becomes a placeholder, then places, plates and further numbers do, then names that
only a dictionary of names knows. Where that is not certain to be all, there is no text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from core.learning import clues
from core.learning.settings import Placeholders
from core.redact import Redactor
from core.redact.marks import plain, spoken
from core.text import clean

_HOTLINES = r"(?:95598|12398|12345|12315|12388|119|110|120)"
_LITTLE = "的家说在是我你他她要来电用交没不也都就了吗呢报和跟住去有想把被给，。,"
_D = r"A-Za-z0-9零〇一二三四五六七八九幺两壹贰叁肆伍陆柒捌玖"
# Stars of a number keep company with digits and joints; three of them are no name and no door.
_STARS = re.compile(rf"[{_D}*](?:[\s\-–—.·/]{{0,2}}[{_D}*])*")
_MASKED_TWO = re.compile(r"(?<=[一-龥])?[欧司上诸夏皇尉公慕令东南端长宇]\*\*[一-龥]")
_MASKED_DOOR = re.compile(r"[0-9A-Za-z]?\*\*(?:号楼|号院|号门|号房|号铺|单元|门栋|栋|幢|室|房|号|层|楼|#)?")
_MASKED_NAME = re.compile(rf"[一-龥]\*(?:(?![{_LITTLE}])[一-龥](?![一-龥]?\*))?")
_PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_PLATE = re.compile(
    rf"[{_PROVINCES}][\s·•.\-]{{0,2}}[A-HJ-NP-Za-hj-np-z](?:[\s·•.\-]{{0,2}}[A-Za-z0-9]){{5,6}}(?![A-Za-z0-9])"
)
# Digits in a row, however spelled and joined, that are no sum, amount of energy, reading or hot line.
_DIGITS = re.compile(
    rf"(?<![0-9.¥￥])(?!{_HOTLINES}(?![0-9]))[0-9](?:[\s\-–—·]{{0,2}}[0-9]){{5,}}"
    r"(?![0-9]|\.[0-9]|\s?(?:元|块|度|千瓦|万|亿|%|年|月|日|号线|kw|kva))",
    re.IGNORECASE,
)
_DATE = re.compile(r"(?:19|20)[0-9]{2}[-–—./]?(?:0?[1-9]|1[0-2])(?:[-–—./]?(?:0?[1-9]|[12][0-9]|3[01]))?")
_NO_PART = (
    "住在到去来回是我你您他她它的们这那个从离往向跟给对和与有没就都了吗把被让说问"
    "但可以要也还请叫着过得很每全本哪些各整另外某后另只比易开，。"
)
_PART = rf"(?:(?![{_NO_PART}])[一-龥A-Za-z0-9])"
_PLACE = re.compile(
    rf"{_PART}{{1,6}}(?:大道|小区|花园|家园|公寓|新村|社区|新城|广场|大厦|工业园|产业园|居委会)"
    rf"|{_PART}{{2,3}}(?:路(?![径灯口费由线过程子])|街|巷|胡同|苑|湾|塆|垸|畈|镇(?!流)|乡|屯|庄|寨|坪)"
    rf"|{_PART}{{1,5}}(?:村(?![长委])|湾|塆|垸|镇|乡)(?=[0-9一二三四五六七八九十]{{1,3}}组)"
    rf"|{_PART}{{2,4}}村(?![长委])"
    r"|(?<![一-龥])[0-9一二三四五六七八九十]{1,3}组(?=$|[\s，,。]|[一-龥]{0,4}[家屋])"
)
_NO_PLACE = re.compile(
    r"[线电短断回支马公铁道走半思网一二两三几多上下修赶问绝套条水油管旁双主干各分顺班理]路$|[逛上大]街$|农村|乡村|城乡|城镇|下乡|入乡"
    r"|全村|整村|邻村|城中村|村村|个村$|旧小区|新小区|个小区$|长租公寓|充电庄|外面|老乡|家乡|同乡|社区上门|些小区|证明社区|搬迁"
)
_DOOR = re.compile(r"[0-9A-Za-z]{1,4}(?:号楼|号院|单元|栋|幢|号门面|号铺|门栋)")
_ROOM = re.compile(r"(?<![0-9.])[0-9]{1,3}[-–—][0-9]{1,3}[-–—][0-9]{2,4}(?![0-9])")
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", re.ASCII)
_URL = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_HAN = re.compile(r"[㐀-鿿]")
FindNames = Callable[[str], Collection[str]]  # the names of people that stand in a text


class Scrubber:
    """Takes out of texts whatever points at somebody."""

    def __init__(self, words: Placeholders, find_names: FindNames | None = None) -> None:
        """`find_names`: a dictionary's opinion (`core.learning.said_names`), for the process that has time for it."""
        self._words, self._find_names = words, find_names
        self._unknown = Redactor()

    def text(self, text: str, redactor: Redactor | None = None, *, asked: str = "") -> str | None:
        """Return the text in one line without personal data; None where it cannot be sure to have found all.

        `redactor` knows the customer, `asked` is the question that the text answers.
        """
        said = " ".join(clues.plain_width(clean(text)).split())
        # A star of the customer's own would be taken for one of ours.
        said = self._swap_machine(said.replace("*", " ").replace("＊", " "))
        said = (redactor or self._unknown).text(clues.early(said, self._words), asked=asked)
        said = clues.joined(self._places(clues.hide(self._numbers(self._masks(said)), self._words)), self._words)
        for name in sorted(self._find_names(said) if self._find_names else (), key=len, reverse=True):
            said = said.replace(name, self._words.name)
        said = _doubled(" ".join(said.split()), self._words)
        return None if self.is_personal(said) else said

    def is_personal(self, text: str) -> bool:
        """Tell whether something in a text may still point at somebody: the second net."""
        figures = spoken(plain(text))
        patterns = (_PLATE, _EMAIL, _URL, _ROOM)
        rest = self._without_placeholders(text)
        return (
            "*" in text or self._unknown.text(rest) != rest or any(one.search(figures) for one in patterns)
            or clues.found_in(figures)
            or any(not _is_date(found[0]) for found in _DIGITS.finditer(figures))
        )  # fmt: skip

    def _swap_machine(self, said: str) -> str:
        return _URL.sub(self._words.number, _EMAIL.sub(self._words.number, said))

    def _masks(self, said: str) -> str:
        number = self._words.number
        said = _STARS.sub(lambda found: number if found[0].count("*") > 2 else found[0], said)
        said = _MASKED_TWO.sub(self._words.name, said)
        said = _DOOR.sub(number, _MASKED_DOOR.sub(number, said))
        return _MASKED_NAME.sub(self._words.name, said)

    def _numbers(self, said: str) -> str:
        said = _ROOM.sub(self._words.number, _swap(_PLATE, said, self._words.plate))
        return _swap(_DIGITS, said, self._words.number, keep=_is_date)

    def _without_placeholders(self, text: str) -> str:
        """Return the text with signs in place of our words, which the redactor takes for names (我叫某人)."""
        for word in (self._words.name, self._words.place, self._words.number, self._words.plate):
            text = text.replace(word, "；")
        return text

    def _places(self, said: str) -> str:
        said = _PLACE.sub(lambda found: found[0] if _NO_PLACE.search(found[0]) else self._words.place, said)
        return re.sub(rf"{self._words.place}[0-9一二三四五六七八九十]{{1,3}}组", self._words.place, said)


def says_something(text: str, shortest: int) -> bool:
    """Tell whether there are so many Chinese characters in a text."""
    return len(_HAN.findall(text)) >= shortest


def _swap(pattern: re.Pattern[str], text: str, word: str, *, keep: Callable[[str], bool] | None = None) -> str:
    """Replace what is found in the plainest form of a text (`plain` and `spoken` keep its length)."""
    shown, at = [], 0
    for found in pattern.finditer(spoken(plain(text))):
        if keep is not None and keep(found[0]):
            continue
        shown += [text[at : found.start()], word]
        at = found.end()
    return "".join([*shown, text[at:]])


def _is_date(digits: str) -> bool:
    return _DATE.fullmatch(digits.strip()) is not None


def _doubled(text: str, words: Placeholders) -> str:
    """Return the text with the same placeholder standing once where it stood several times in a row."""
    for word in (words.name, words.place, words.number, words.plate):
        text = re.sub(rf"{re.escape(word)}(?:[\s,，、\-]*{re.escape(word)})+", word, text)
    return text
