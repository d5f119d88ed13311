"""Doors in addresses: buildings, entrances, floors, rooms and house numbers; streets and compounds stay."""

from __future__ import annotations

import re

from core.redact.marks import DOOR, Marks

_N = r"(?:[0-9]{1,4}|[0-9]?十[0-9]?|[0-9]百(?:[0-9]十?)?[0-9]?)"
_NAME = (
    r"(?:苑|园|小区|家园|花园|公寓|新村|社区|雅居|小院|小筑|人家|宿舍|新城|城|湾|庭|府|郡|邸|居|阁|轩|坊|寓"
    r"|(?<![家屋月这那哪心店公年夜日城])里)"
)
# What a number stands before when it counts or measures instead of naming a door, or is hidden already (421***).
_NO_COUNT = (
    r"(?![0-9*]|\.[0-9*]|[ ]?(?:元|块|度|毛|角|分|年|月|日|天|点|时|秒|多|余|来|几|个|户|家|人|口|台|瓦|千|万|kw|kva|级"
    r"|档|期|号线|％|%|[:：]))"
)
_NO_DEVICE = r"(?!线|表|变|杆|机|电缆|开关|电表|公交|地铁)"
_STREET = (
    r"(?:路|街|(?<!知)道|巷|弄|胡同|坊|村|湾|镇|乡|组|队|苑|园|城|庄|寨|屯|坪|塘|岗|桥|市场|底商|商铺|铺面|门面|门牌|附"
    r"|(?<![家屋月这那哪心店公年夜日城])里)\s?"
)

_PATTERNS = [
    # 3栋, 12号楼, A座, 2单元, 3门栋, 5#楼; 七栋楼 is a count
    re.compile(r"([0-9A-Za-z十]{1,4})(?:号楼|号院|号门|号房|号铺|单元|门栋|#(?=楼|栋|[0-9]|[,，。 ]|$))"),
    re.compile(r"([0-9A-Za-z十]{1,4})(?:栋|幢)(?!楼(?![0-9下上道]))"),
    re.compile(r"([0-9]{1,3}|[A-Za-z])座(?!机|位|谈|椅)"),
    # 501室, 五零一房
    re.compile(r"([0-9]{3,4}|(?<=单元)[0-9]{1,2}|(?<=[楼栋层])[0-9]{1,2})[室房](?![0-9一两]?厅|子|产|间|租|贷|东)"),
    # 9号楼11楼: a floor alone (电梯停在一楼) tells no door
    re.compile(rf"(?<=[栋幢座楼号院门苑园里湾元])[ ，,]?({_N})(?:楼(?!梯|道|宇|下|上)|层(?!高|板|楼))"),
    re.compile(r"门牌[^0-9]{0,8}([0-9]{3,4})(?![0-9])"),
    # 3-2-501, 12-1203 behind a building or a compound
    re.compile(
        r"(?<![0-9.\-–—])(?![48]00-)(?!(?:0?[1-9]|1[0-2])[-–—](?:[0-2]?[0-9]|3[01])[-–—](?:19|20)[0-9]{2})"
        r"([A-Za-z]?[0-9]{1,3}[-–—][0-9]{1,3}[-–—][0-9]{3,4})(?![0-9\-–—])"
    ),
    re.compile(rf"(?:{_NAME}|栋|幢|楼|单元|座|室|院|住|#|号)\s?([A-Za-z]?[0-9]{{1,3}}[-–—][0-9]{{2,4}}){_NO_COUNT}"),
    # 知音苑 1203, 我住501, 3栋501, 地下车库B1-078
    re.compile(rf"(?:{_NAME}|住)[ ]?([0-9]{{3,4}}){_NO_COUNT}"),
    re.compile(rf"(?:栋|幢|号楼|号院|楼|单元|门栋|座|#)[的 ]?([0-9]{{2,4}}){_NO_COUNT}"),
    re.compile(rf"(?:栋|幢|号楼|单元|座)[，, ]{{1,2}}([0-9]{{3,4}}){_NO_COUNT}"),
    re.compile(r"(?<![A-Za-z0-9])([A-Za-z][0-9]{1,2}[-–—][0-9]{2,4})(?![0-9])"),
    # 荷叶塘村3组, 6队
    re.compile(rf"(?:村|湾|屯|庄|坪|冲|塘|岗|社区|屋场)[的 ]?({_N})(?:组|队|社)"),
]
# 解放大道102号, 3组15号, 88号附2号, 底商6号
_HOUSE = re.compile(rf"{_STREET}({_N}(?:[-–—之][0-9]{{1,3}})?)号{_NO_DEVICE}")
# A day of the month behind a place (荷叶塘村15号停电) is no house number.
_DAY = re.compile(
    r"(?:0?[1-9]|[12][0-9]|3[01]|[12]?十[1-9]?|3十1?)号\s?(?:停|有电|来电|没电|没得电|冇|要|会|检修|晚|早|上午|下午|凌晨|中午"
    r"|夜|白天|那天|起|到|至|[-—~]|开始|[之以]?[前后]|就|交|缴|报|[0-9]{1,2}[点:：])"
)


def mark_doors(marks: Marks) -> None:
    """Hide what tells one door from another."""
    for pattern in _PATTERNS:
        for found in pattern.finditer(marks.spoken):
            if not _is_one_of_many(marks, found):
                marks.hide(*found.span(1), DOOR)
    for found in _HOUSE.finditer(marks.spoken):
        if not _DAY.match(marks.spoken, found.start(1)):
            marks.hide(*found.span(1), DOOR)


def _is_one_of_many(marks: Marks, found: re.Match[str]) -> bool:
    """Tell whether the number only says "a" (一栋都没电, 补偿一座坟): in words, and nothing of an address behind it."""
    start, end = found.span(1)
    behind = marks.spoken[end : end + 3]
    return marks.plain[start:end] == "一" and behind[:1] in "栋幢座" and not re.search(r"[0-9单]", behind)
