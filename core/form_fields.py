"""Answers to the fields of a form: what a message says, in its normal form, or why it says nothing.

The understanding (entities) comes first; what it missed is looked for in the text itself.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from core.business import Field
from core.numerals import in_figures
from core.text import clean, folded

MAX_TEXT, MAX_NAME, SPELLED = 500, 40, 5
_PHONE = re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)|(?<!\d)0\d{2,3}-?\d{7,8}|400-?\d{3}-?\d{4}")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_CAPACITY = re.compile(r"(\d+(?:\.\d+)?)(kva|kw|千伏安|千瓦|个千瓦)", re.IGNORECASE)
# 现在20千瓦，要加到50: the one that is wanted, whatever was said of the present one.
_WANTED = re.compile(
    r"(?:[加增扩升换改]|变)[大容量]{0,2}[到成为至](?:个|一个)?(\d+(?:\.\d+)?)\s*(kva|kw|千伏安|个?千瓦)?", re.IGNORECASE
)
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", re.ASCII)
# 单位名称是…, 抬头：…, 税号…: what comes before the answer itself.
_TEXT_INTRO = re.compile(
    r"^(?:(?:发票)?抬头|(?:单位|公司|店铺)?(?:名称|全称|名字)|税号|邮箱)(?:[是为叫写]|[:：])*[ ，,]*(?=.{2})"
)
_PLACE = re.compile(r"[区县市镇乡村路街道巷弄苑园里城湾院坊栋幢座号楼层室组屯庄厂店校库期塘坪岗桥\d]")
# What goes on behind a place that was recognised: 一期底商6号, 地下车库B1-078.
_CLAUSE = re.compile(r"[，,。;；!！?？\s]")
_DOOR = re.compile(r"[\dA-Za-z号栋幢座层楼室期]|底商|车库|门面|单元|地下|路口|对面|旁边|隔壁")
_NO_PLACE = re.compile(r"停电|没电|冇得电|跳闸|报修|坏|电表|的电|电压|一直|就是|用电|电话|手机|[我你他]|要|想|了")
# A question of the customer's own, and a mere yes, are no name, no address and no date.
_QUESTION = re.compile(
    r"[?？]|怎么|咋|么样|多少|几多|多久|(?<!好)几天|为什么|为么|是不是|能不能|可不可以|还是要|找谁|([收要用行还])不\1|[吗啵]$"
)
# 我叫王建国, 户主是王建国, 改成王建国: the name is what remains.
_NAME_INTRO = re.compile(
    r"^(?:(?:新|原)?(?:户主|业主|房主|产权人|联系人)(?:的名字)?(?:是|叫|为)|我的?名字(?:是|叫)?|我叫|"
    r".{1,4}(?:名叫|叫)(?=..)|姓名(?:是)?|名字(?:是|叫)?|户主(?:是|叫)?|他?她?叫|就?写|改成|换成|是)[:： ]*"
)
NAME_END = re.compile(r"[。.!！~，, 吧啊呀的哈]+$")
# A sentence about the talk itself is no address: 会不会让他晓得, 我留一个 027-87654321.
_NO_ADDRESS = re.compile(r"会不会|要不要|(?:让|把)(?:他|别人|人家)|什么|留一?个|\d{7}|不晓得|不知道|不清楚")
# What a day is told with, where the understanding found none.
_DAY = re.compile(
    r"[\d天日号周月晚早午夜昨今前刚年点时节回春夏秋冬]|星期|礼拜|随便|都行|都可以|马上|尽快|越快|立即|现在|下个|记得|不清楚|晓得|不知道|忘"
)
_YES = re.compile(r"^(?:是的?|对的?|有的?|要的?|嗯+|好的?|可以|同意|没错|需要|愿意)[。!！啊呀吧]*$")
_NO = re.compile(r"^(?:不是|不|没有|没得|冇得|不要|不用|否|不需要|算了|不同意)[。!！啊呀吧了]*$")
# Which entity of the understanding fills which kind of field.
ENTITY_OF = {
    "phone": "phone", "address": "address", "capacity": "capacity", "energy": "energy", "amount": "amount",
    "date": "date",
}  # fmt: skip
# Kinds that are recognised anywhere in a message, so that nobody is asked what was said already.
TELLING = frozenset(ENTITY_OF) | {"choice", "number"}


# 退给我，我不要抵: what is not wanted is no answer.
_DENIED = re.compile(r"(?:不是|不要|不想|莫|别|不用|冇)[^，,。;；!！]{1,12}")
CHINESE_DIGITS = str.maketrans("零一二三四五六七八九两", "01234567892")


class Unreadable(Exception):
    """What was said is no answer to the question; `reason` names why: empty, no_match, too_long, too_small, too_big."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Said:
    """What a message offers to a form: its text, the values of its entities, and the value of a pressed button."""

    text: str
    entities: Mapping[str, Sequence[str]] = field(default_factory=dict)
    choice: str | None = None
    upload: str | None = None


def read(one: Field, said: Said, *, today: date) -> str:
    """Return the answer to a field in its normal form.

    Raises:
        Unreadable: if the message holds none.
    """
    if one.kind == "photo":
        if said.upload is None:
            raise Unreadable("no_photo")
        return said.upload
    if one.kind in ("choice", "yes_no"):
        return _choice(one, said)
    return _READERS.get(one.kind, _text)(one, said, today)


def asks(text: str) -> bool:
    """Tell whether a text is a question of the customer's own, no answer."""
    return bool(_QUESTION.search(text))


def tells(one: Field, said: Said) -> bool:
    """Tell whether the message holds something of this kind."""
    if one.kind == "choice":
        return any(_fits(option.words, said.text) for option in one.options)
    if one.kind == "phone" and _PHONE.search(said.text):
        return True
    if one.kind == "number" and _with_unit(one, said.text):
        return True
    return bool(said.entities.get(ENTITY_OF.get(one.kind, "")))


def _with_unit(one: Field, text: str) -> re.Match[str] | None:
    """Return the number that stands before the field's unit (五口人, 五户人家)."""
    if not one.unit:
        return None
    return re.search(rf"([0-9零一二三四五六七八九十百两]{{1,4}})(?:口|个)?{re.escape(one.unit)}", text)


def _fits(words: Sequence[str], text: str) -> bool:
    return any(re.search(word, text) for word in words)


def _choice(one: Field, said: Said) -> str:
    if one.kind == "yes_no":
        return _yes_no(said)
    values = [option.value for option in one.options]
    if said.choice in values:
        return str(said.choice)
    spoken = _DENIED.sub("", said.text) or said.text
    text = folded(spoken)
    for option in one.options:
        if folded(option.label) == text or _fits(option.words, spoken):
            return option.value
    for option in one.options:
        if folded(option.label) in text or (len(text) > 1 and text in folded(option.label)):
            return option.value
    ordinal = re.fullmatch(r"(?:第|选)?([1-9一二三四五六七八九])(?:个|种|项)?", text)
    if ordinal:
        place = int(ordinal[1].translate(CHINESE_DIGITS)) - 1
        if place < len(values):
            return values[place]
    raise Unreadable("no_match")


def _yes_no(said: Said) -> str:
    text = folded(said.text)
    if said.choice in ("yes", "no"):
        return str(said.choice)
    if _NO.match(text):
        return "no"
    if _YES.match(text):
        return "yes"
    raise Unreadable("no_match")


def _text(one: Field, said: Said, _today: date) -> str:
    text = clean(said.text)
    if not text or text.startswith("/"):
        raise Unreadable("empty")
    if len(text) > MAX_TEXT:
        raise Unreadable("too_long")
    if one.pattern is not None:
        held = re.search(one.pattern, unicodedata.normalize("NFKC", text), re.IGNORECASE)
        if held is None:
            raise Unreadable("no_match")
        return held[0]
    if one.default == "message":
        return text
    if _QUESTION.search(text) or _YES.match(text):
        raise Unreadable("no_match")
    email = _EMAIL.search(text)
    return email[0] if email else _TEXT_INTRO.sub("", text)


def _name(_one: Field, said: Said, _today: date) -> str:
    text = _spoken_name(clean(said.text))
    if not text or text.startswith("/"):
        raise Unreadable("empty")
    if (
        len(text) > MAX_NAME
        or _NUMBER.fullmatch(text)
        or _QUESTION.search(text)
        or re.search(r"[，,。;；!！]|还是", text)
    ):
        raise Unreadable("no_match")
    return text


def _spoken_name(text: str) -> str:
    """Return the name in a sentence: 鄙人姓覃，叫覃国梁; 周建民，建设的建."""
    parts = [NAME_END.sub("", part) for part in re.split(r"[，,]", text)]
    if len(parts) == 1:
        return NAME_END.sub("", _NAME_INTRO.sub("", parts[0]))
    surname = re.search(r"姓(\S)$", parts[0])
    if surname and parts[-1].startswith(surname[1]):
        return parts[-1]  # 我姓刘，刘桂香
    told = [_NAME_INTRO.sub("", part) for part in parts if _NAME_INTRO.match(part)]
    if told:
        return told[-1]
    return parts[0] if "的" in parts[1] and len(parts[0]) <= SPELLED else text


def _phone(_one: Field, said: Said, _today: date) -> str:
    for candidate in (*said.entities.get("phone", ()), re.sub(r"[\s—]", "", said.text)):
        found = _PHONE.search(candidate)
        if found:
            return found[0].replace("-", "")
    raise Unreadable("no_match")


def _address(_one: Field, said: Said, _today: date) -> str:
    found = said.entities.get("address", ())
    text = _whole(max(found, key=len), clean(said.text)) if found else clean(said.text)
    # An address is at least a compound with a building: 那边 is none.
    if (
        len(folded(text)) < 4
        or text.startswith("/")
        or (not found and (_QUESTION.search(text) or _NO_ADDRESS.search(text) or not _PLACE.search(text)))
    ):
        raise Unreadable("no_match")
    return text[:MAX_TEXT]


def _whole(place: str, text: str) -> str:
    """Return a recognised place with what stands around it in its clause, as far as that still says where."""
    clause = next((part for part in _CLAUSE.split(text) if place in part), place)
    before, after = clause.partition(place)[0], clause.partition(place)[2]
    head = before if before and _PLACE.search(before) and not _NO_PLACE.search(before) else ""
    tail = after if after and _DOOR.search(after) and not _NO_PLACE.search(after) else ""
    return head + place + tail


def _number(one: Field, said: Said, _today: date) -> str:
    values = said.entities.get(ENTITY_OF.get(one.kind, ""), ())
    counted = _with_unit(one, said.text)
    text = counted[1] if counted else said.text
    # One Chinese digit alone is left by `in_figures`.
    # 六七十个平方吧，大概65: a figure that is written out is meant.
    spoken = text if _NUMBER.search(text) else in_figures(text).translate(CHINESE_DIGITS)
    found = _NUMBER.search(values[0] if values else spoken)
    if found is None:
        raise Unreadable("no_match")
    value = Decimal(found[0])
    if one.min is not None and value < Decimal(str(one.min)):
        raise Unreadable("too_small")
    if one.max is not None and value > Decimal(str(one.max)):
        raise Unreadable("too_big")
    return format(value.normalize(), "f")


def _capacity(one: Field, said: Said, today: date) -> str:
    # 三千千瓦 would be read as four thousand.
    text = in_figures(said.text.replace("千千瓦", "千 kW").replace("百千瓦", "百 kW").replace("十千瓦", "十 kW"))
    thousands = "千千瓦" in said.text
    values = [text] if thousands else [*said.entities.get("capacity", ()), text]
    wanted = _WANTED.search(text)
    for found in (wanted, *(_CAPACITY.search(value) for value in values)):
        if found:
            unit = (found[2] or one.unit or "kW").lower()
            return found[1] + ("kVA" if unit in ("kva", "千伏安") else "kW")
    return _number(one, said, today) + (one.unit or "kW")


def _date(one: Field, said: Said, today: date) -> str:
    values = sorted(said.entities.get("date", ()))
    if values and one.past:
        day = date.fromisoformat(values[0])
        # 礼拜四 without 上 or 下 is read as the one to come.
        return (day - timedelta(days=7) if day > today else day).isoformat()
    if values and date.fromisoformat(values[0]) < today:
        raise Unreadable("past")
    if not values:
        text = _text(one, said, today)  # 下周一上午 is kept in the customer's own words
        if not _DAY.search(text):
            raise Unreadable("no_match")
        return text
    return values[0]


_READERS = {
    "text": _text, "name": _name, "phone": _phone, "address": _address, "number": _number, "energy": _number,
    "amount": _number, "capacity": _capacity, "date": _date,
}  # fmt: skip
