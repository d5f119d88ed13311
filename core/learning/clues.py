"""Less plain things that point at somebody: accounts of the net, ends of numbers, nicknames, days of birth, firms.

The desk's redactor leaves them, for an agent has to understand what was said; no model has a use for them.
"""

from __future__ import annotations

import re

from core.learning.settings import Placeholders

# Surnames that begin no other word behind 老 and 小, and what follows where they do (老陈醋, 小杨树).
_SURNAME = (
    "王李张刘陈杨赵吴周徐孙胡朱郭何罗郑梁谢宋唐许韩冯邓曹彭曾萧肖蔡潘田董袁余蒋杜苏魏吕丁沈任姚卢傅钟姜崔谭廖范汪陆贾"
)
_NO_NICKNAME = r"(?![子孙女期末树户钟寒满醋式务时处家])"
_TITLES = r"(?:头|师傅|老师|大哥|大姐|哥|姐|叔|婶|总)?"
_NICKNAMES = (
    re.compile(rf"(?<![大最很太多古长百缩变微])(?:老[{_SURNAME}]|小[{_SURNAME}]{_NO_NICKNAME}){_TITLES}(?!醋|树|式)"),
    re.compile(
        rf"(?<![一-龥])[{_SURNAME}][大二三四五六七八九老小](?:麻子|娃子?|狗子?|胖子?|毛|傻子?|愣子?|蛋|牛|宝|妹子?|奎)"
    ),
    re.compile(r"(?<![一-龥])(?:阿(?![姨婆公爹妈爸嬷拉])[一-龥]|老[二三四五六七八九幺])(?=[家他她屋]|的[表电])"),
    re.compile(r"(?<=隔壁)[小阿老](?![区人太板店边两])[一-龥](?=[家他她屋偷]|的)"),
)
# Somebody is called so, and nothing follows: 我妈叫秀兰，
_CALLED = re.compile(
    r"((?:[妈爸爹娘爷奶公婆哥姐弟妹儿女媳嫂叔婶姨舅主东伴他她]|爱人|邻居)(?:的?名字|大名|小名)?(?:名叫|叫做|叫))"
    r"(?![我你您他她它来去人不快电谁啥什怎过醒车做停])[一-龥]{2,4}(?=$|[，,。.；;！!？?、\s])"
)
_ENGLISH = re.compile(
    r"\b(?:Mr|Mrs|Ms|Miss)\b\.?\s*[A-Z][a-z]+(?:\s+[A-Z][a-z]+)?|(?<=name is )[A-Z][a-z]+(?:\s+[A-Z][a-z]+)?"
)
_FIRM = re.compile(
    r"(?!某)(?:(?![叫是给的在为我你他有和跟们说问找请把用到从这那，])[一-龥（）()]){3,20}"
    r"(?:有限责任公司|有限公司|股份公司|集团公司|经营部|商行|专业合作社)"
)
_OURS = re.compile(r"国网|供电|电力|电网|国家")

_NET = (
    r"(?:[Qq]{2}|微信|[VvＶ威薇]信|[Ww]ei ?[Xx]in|[VvWw][Xx]|抖音|快手|微博|小红书|支付宝|钉钉|[Ww]e[Cc]hat)"
    r"(?:号码?|ID|id|账号|帐号)?"
)
_HANDLE = re.compile(
    rf"({_NET}[是为叫加\s:：]{{0,4}})[A-Za-z0-9_][A-Za-z0-9_.\-]{{4,}}(?!\s?(?:元|块|度|千瓦))", re.ASCII
)
# A name that a program gave or took: letters with an underscore or several figures among them.
_ACCOUNT = re.compile(
    r"(?<![A-Za-z0-9_.\-])(?=[A-Za-z0-9\-]*[A-Za-z])(?=[A-Za-z0-9\-]*(?:_|[0-9][A-Za-z\-]*[0-9][A-Za-z\-]*[0-9]))"
    r"(?![0-9]+[A-Za-z]{1,4}(?![A-Za-z0-9_\-]))[A-Za-z0-9_\-]{7,}(?![A-Za-z0-9_])",
    re.ASCII,
)
_SPELLED_MAIL = re.compile(
    r"[A-Za-z0-9_.]{3,}\s*(?:@|#| at |艾特|圈[aA]?)\s*"
    r"(?:qq|163|126|139|189|gmail|sina|sohu|foxmail|outlook|hotmail|yeah)"
    r"(?:\s*(?:\.|点| dot )\s*(?:com|cn|net))?",
    re.ASCII | re.IGNORECASE,
)
_TAIL = re.compile(
    r"((?:尾号|[后末最]后?[三四五六345 6]位数?)(?:号码|数字)?[是为:：\s]{0,3})[0-9]{3,6}[Xx]?(?![0-9]|\s?[元块度])"
)
_WHERE = re.compile(r"(?<![0-9.])[0-9]{2,3}\.[0-9]{4,}(?![0-9])")
_YEAR = r"(?:19|20)?[0-9]{2}年[0-9]{1,2}月(?:[0-9]{1,2}[日号])?"
_DAY = rf"(?:{_YEAR}|[0-9]{{4}}[-./][0-9]{{1,2}}(?:[-./][0-9]{{1,2}})?)"
_BORN = re.compile(rf"((?:生日|出生(?:日期|年月)?|生于)[是为在:：\s]{{0,3}}){_DAY}|{_YEAR}(?=出生|生人|生的)")
_N = r"[0-9一二三四五六七八九十]{1,3}"
_GROUP_DOOR = re.compile(rf"(?<![一-龥0-9]){_N}[组队]\s?{_N}号")
_HAMLET = re.compile(
    r"(?:(?![的我他你这那条在到个水鱼池山门店商床路电])[一-龥]){2}(?:沟|铺|冲|坡|岗|坝|坳|塘|垭)(?=那边|这边|那里|这里|停电|没电|的变压器|的电|[0-9一二三四五六七八九十]{1,2}[组队])"
)


def hide(said: str, words: Placeholders) -> str:
    """Return a text with placeholders for all of these."""
    number, name, place = words.number, words.name, words.place
    said = _ACCOUNT.sub(number, _HANDLE.sub(rf"\g<1>{number}", _SPELLED_MAIL.sub(number, said)))
    said = _WHERE.sub(number, _TAIL.sub(rf"\g<1>{number}", said))
    said = _BORN.sub(lambda found: f"{found[1] or ''}{number}", said)
    said = _FIRM.sub(lambda found: found[0] if _OURS.search(found[0]) else name, said)
    for pattern in _NICKNAMES:
        said = pattern.sub(name, said)
    said = _ENGLISH.sub(name, _CALLED.sub(rf"\g<1>{name}", said))
    return _HAMLET.sub(place, _GROUP_DOOR.sub(place, said))


def joined(said: str, words: Placeholders) -> str:
    """Return a text in which the rest of a door behind a placeholder has gone with it (某地某号302, 某号附1号)."""
    holder = f"(?:{words.place}|{words.number})"
    said = re.sub(rf"({holder})组[\s，,]?[0-9]{{1,4}}号", r"\1", said)
    said = re.sub(
        rf"({holder})(?:附[0-9]{{1,3}}号?|[A-Za-z]?[0-9]{{3,4}}室?(?![0-9.]|\s?[元块度千万年%]))", r"\1", said
    )
    return re.sub(rf"(?<={words.name})[（(][一-龥]{{2,4}}[)）]", "", said)


def found_in(text: str) -> bool:
    """Tell whether an account of the net, the end of a number or a place on the map stands in a text."""
    return any(pattern.search(text) for pattern in (_ACCOUNT, _SPELLED_MAIL, _TAIL, _WHERE))
