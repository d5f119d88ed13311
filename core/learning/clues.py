"""Less plain things that point at somebody: accounts of the net, ends of numbers, nicknames, days of birth, firms.

The desk's redactor leaves them, for an agent has to understand what was said; no model has a use for them.
"""

from __future__ import annotations

import re
import unicodedata

from core.learning.settings import Placeholders
from core.redact.marks import plain, spoken

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
_TOWNS = "武汉|湖北|宜昌|襄阳|荆州|荆门|黄石|十堰|孝感|鄂州|黄冈|咸宁|随州|恩施|仙桃|天门|潜江"
_FIRM = re.compile(
    r"(?!某)(?:(?![叫是给的在为我你他有和跟们说问找请把用到从这那，])[一-龥（）()]){3,20}"
    r"(?:有限责任公司|有限公司|股份公司|集团公司|经营部|商行|专业合作社)"
    rf"|(?:{_TOWNS})[一-龥]{{2,6}}?(?:商贸|贸易|实业|置业|餐饮|物流|建材)"
)
# Names of other peoples as Chinese writes them (阿依古丽, 卓玛次仁): their characters make no other word of four.
_FAR_NAME = re.compile(r"[阿依古丽卓玛次仁扎西吉桑旦增吐逊买提艾木热孜努帕迪尼格才央洛娜拉]{4,7}")
_ONE_SIGN = re.compile(r"(?<=单名)(?:一个|个)?[一-龥]字?(?=$|[，,。\s])")
_ESTATE = re.compile(
    r"(?:恒大|万科|保利|碧桂园|融创|龙湖|世茂|雅居乐|福星惠誉)[一-龥]{0,4}?(?=[A-Za-z0-9某一二三四五六七八九十停没，。,]|$)"
)
_NICK = re.compile(r"[@＠](?=[一-龥A-Za-z_])[一-龥A-Za-z0-9_]{2,12}")
_LATIN = re.compile("[\uff20-\uff3a\uff41-\uff5a\uff3f\uff0e\uff0d]")
_ROUND = str.maketrans("㈠㈡㈢㈣㈤㈥㈦㈧㈨", "123456789")
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
# These are looked for in the spoken form, where 后四位六六八八 reads 后4位6688; only the part `x` is hidden.
_TAIL = re.compile(
    r"(?:尾号|尾数|[后末最]后?[3456 ]位数?)(?:号码|数字)?[是为:：\s]{0,3}"
    r"(?P<x>[0-9](?:\s?[0-9]){2,5}(?:\s?[Xx])?)(?![0-9]|\s?[元块度])"
)
_SECRET = re.compile(
    r"(?:密码|验证码|校验码|口令)[是为:：\s]{0,3}(?P<x>[A-Za-z0-9](?:[\s\-]?[A-Za-z0-9]){3,})", re.ASCII
)
# A mobile number whose parts are kept apart by commas (138，0013，8000), or of which the rest is hidden already.
_MOBILE = re.compile(r"(?<![0-9.])(?P<x>1[3-9][0-9](?:[\s，,、。.]{0,2}[0-9]){8})(?![0-9])")
_NET_PLACE = re.compile(r"(?<![0-9.])(?P<x>[0-9]{1,3}(?:\.[0-9]{1,3}){3})(?![0-9.])")
_CAR = re.compile(
    r"(?:车牌|车号|牌照|牌号|[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼]牌)(?:号码?)?[是为:：\s]{0,2}"
    r"(?P<x>[A-Za-z]?[\s·]?[A-Za-z0-9](?:\s?[A-Za-z0-9]){4,6})(?![A-Za-z0-9])",
    re.ASCII,
)
_WHERE = re.compile(r"(?<![0-9.])[0-9]{2,3}\.[0-9]{4,}(?![0-9])")
_YEAR = r"(?:19|20)?[0-9]{2}年[0-9十]{1,3}月(?:[0-9十]{1,3}[日号])?"
_DAY = rf"(?:{_YEAR}|[0-9]{{4}}[-./][0-9]{{1,2}}(?:[-./][0-9]{{1,2}})?)"
_BORN = (
    re.compile(rf"(?:生日|出生(?:日期|年月)?|生于)[是为在:：\s]{{0,3}}(?P<x>{_DAY})"),
    re.compile(rf"(?P<x>{_YEAR})(?=出生|生人|生的)"),
)
_N = r"[0-9一二三四五六七八九十]{1,3}"
_GROUP_DOOR = re.compile(rf"(?<![一-龥0-9]){_N}[组队]\s?{_N}号")
_HAMLET = re.compile(
    r"(?:(?![的我他你这那条在到个水鱼池山门店商床路电])[一-龥]){2}(?:沟|铺|冲|坡|岗|坝|坳|塘|垭)(?=那边|这边|那里|这里|停电|没电|的变压器|的电|[0-9一二三四五六七八九十]{1,2}[组队])"
)


def plain_width(text: str) -> str:
    """Return a text whose digits and Latin letters have one width and one form; its Chinese signs stay as they are."""
    text = text.translate(_ROUND)
    return "".join(
        plain(char) if unicodedata.digit(char, None) is not None or _LATIN.fullmatch(char) else char for char in text
    )


def early(said: str, words: Placeholders) -> str:
    """Return a text without what the redactor would take apart, so that parts of it would stay."""
    said = _swapped(_CAR, said, words.plate)
    for pattern in (_MOBILE, _SECRET, _TAIL, *_BORN, _NET_PLACE):
        said = _swapped(pattern, said, words.number)
    return said


def hide(said: str, words: Placeholders) -> str:
    """Return a text with placeholders for all of the others."""
    number, name, place = words.number, words.name, words.place
    said = _ACCOUNT.sub(number, _HANDLE.sub(rf"\g<1>{number}", _SPELLED_MAIL.sub(number, said)))
    said = _NICK.sub(number, _WHERE.sub(number, said))
    said = _FIRM.sub(lambda found: found[0] if _OURS.search(found[0]) else name, said)
    said = _ESTATE.sub(place, _ONE_SIGN.sub(name, _FAR_NAME.sub(name, said)))
    for pattern in _NICKNAMES:
        said = pattern.sub(name, said)
    said = _ENGLISH.sub(name, _CALLED.sub(rf"\g<1>{name}", said))
    return _HAMLET.sub(place, _GROUP_DOOR.sub(place, said))


def _swapped(pattern: re.Pattern[str], said: str, word: str) -> str:
    """Replace the part `x` of what is found in the spoken form of a text (both forms keep its length)."""
    shown, at = [], 0
    for found in pattern.finditer(spoken(plain(said))):
        start, end = found.span("x")
        shown += [said[at:start], word]
        at = end
    return "".join([*shown, said[at:]])


def joined(said: str, words: Placeholders) -> str:
    """Return a text in which the rest of a door behind a placeholder has gone with it (某地某号302, 某号附1号)."""
    holder = f"(?:{words.place}|{words.number})"
    said = re.sub(rf"(?<![0-9])1[3-9][0-9](?=[^0-9，。]{{0,4}}{words.number})", words.number, said)
    said = re.sub(rf"[幺一][三-九][零〇一二三四五六七八九幺](?=[^0-9，。]{{0,4}}{words.number})", words.number, said)
    said = re.sub(rf"({words.number})转[0-9]{{2,5}}", r"\1", said)
    said = re.sub(rf"({holder})组[\s，,]?[0-9]{{1,4}}号", r"\1", said)
    said = re.sub(
        rf"({holder})(?:附[0-9]{{1,3}}号?|[A-Za-z]?[0-9]{{3,4}}室?(?![0-9.]|\s?[元块度千万年%]))", r"\1", said
    )
    return re.sub(rf"(?<={words.name})[（(][一-龥]{{2,4}}[)）]", "", said)


_CLUES = (_ACCOUNT, _SPELLED_MAIL, _TAIL, _WHERE, _SECRET, _MOBILE, _NET_PLACE, _CAR, *_BORN)


def found_in(text: str) -> bool:
    """Tell whether an account of the net, the end of a number or a place on the map stands in a text."""
    return any(pattern.search(text) for pattern in _CLUES)
