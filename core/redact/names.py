"""Names that people say of themselves or of somebody whose matter it is: all but first and last character go."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from core.redact.marks import GAP, HIDE, Marks

_TWO = "欧阳|司马|上官|诸葛|夏侯|皇甫|尉迟|公孙|慕容|令狐|司徒|东方|南宫|端木|长孙|宇文"
_COMMON = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖萧田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭"
    "陆汪范金石廖贾夏韦付傅方白邹孟熊秦邱丘江尹薛闫阎段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤温康施文牛樊葛邢安齐"
    "易乔伍庞颜倪庄聂章鲁岳翟殷詹申欧耿关兰焦俞左柳甘祝包宁尚符舒阮柯纪梅童凌毕单季裴霍涂成苗谷盛曲翁冉骆蓝路游辛靳管柴"
)
# Borne by fewer people, and more often the beginning of another word: only behind 叫 and 姓名 and their like.
_RARE = (
    "蒙鲍华喻祁蒲房滕屈饶解牟艾尤阳穆司卓古吉缪简芦麦褚娄窦戚岑景党宫费卜冷晏席卫米柏宗瞿桂佟应臧闵苟邬边卞姬仇栾隋"
    "刁沙荣巫寇桑郎甄丛仲虞敖巩佘麻苑迟邝封谈匡鞠惠荆冀郁胥储原栗燕楚鄢劳谌奚皮粟冼蔺盘闻厉伊仝郜阚帅屠朴盖练廉禹祖"
    "漆巴卿狄宣晋阙浦戈伏薄邸雍辜"
)
SURNAMES = frozenset((*_TWO.split("|"), *_COMMON, *_RARE))
# What is in no given name: the little words of a sentence.
_GIVEN = r"(?![了的是在说要不也就都还把被给吗呢吧啊有没去来过到得跟和能会可这那你我他她它用找让问查看付交报办])[一-龥]"
# 王师傅 says no more than the mask of the name would.
_TITLE = (
    r"先生|女士|小姐|师傅|老师|大姐|大哥|阿姨|大爷|大妈|爹爹|婆婆|老板|经理|主任|总|工|嫂|哥|姐|叔|伯|婆|爹|太太|奶奶"
    r"|爷爷|某"
)
# Behind 叫 and 姓名是 any character may be of the name; elsewhere little words end it, and rare surnames do not count.
_FULL = rf"(?:(?:{_TWO})[一-龥]{{1,2}}|[{_COMMON}{_RARE}](?!{_TITLE})[一-龥]{{1,2}})"
_USUAL = rf"(?:(?:{_TWO}){_GIVEN}(?:{_GIVEN})?|[{_COMMON}](?!{_TITLE}){_GIVEN}(?:{_GIVEN})?)"
_WHOLE = rf"(?:(?:{_TWO}){_GIVEN}(?:{_GIVEN})?|[{_COMMON}](?!{_TITLE}){_GIVEN}{_GIVEN})"
_END = (
    r"(?=$|[\s，,。.；;！!？?、:：()（）0-9\u200b]|的|电话|手机|身份证|号码|家|户|在|住|名下|这边|来|报|想|要|是|和|跟"
    r"|本人|收)"
)
# Right before a telephone number even a little word can only be of a name (田有田，139…).
_BEFORE = rf"(?:(?:{_TWO})[一-龥]{{1,2}}|[{_COMMON}](?!{_TITLE})[一-龥]{{1,2}})"
_DOTTED = r"[一-龥]{1,8}[·•・][一-龥]{1,8}"
_KIN = (
    r"(?:爸爸?|妈妈?|爹|娘|爷爷|奶奶|外公|外婆|公公|婆婆|岳父|岳母|老公|老婆|爱人|丈夫|妻子|老伴|儿子|女儿|女婿|媳妇|哥哥?"
    r"|姐姐?|弟弟?|妹妹?|父亲|母亲|房东|租客|邻居|同事|合伙人)"
)
_SLOT = (
    r"(?:户主|新户主|原户主|业主|房主|机主|产权人|联系人|收件人|收货人|申请人|经办人|法人|负责人|开户人|开户名|户名|姓名|名字"
    r"|大名|抬头|证上的名字|怎么称呼)"
)
_SAYS = r"(?:是|叫做?|写(?:[的成]|(?![的成]))|为|填|改成|换成|变更为|[:：])"
_G = r"[\s\u200b\"'“”「『]{0,3}"
# What sounds like a name behind 我是 or 我妈 and is none.
_PLACE = r"[一-龥]{1,3}(?:村|湾|冲|塆|店|镇|乡|县|市|区|路|街|寨|营|桥|集|铺|庄|岗|小区|公司|厂|校)"
_WORDS = (
    r"(?:房(?:东|客|主|产|子|租)|解(?:绑|除|决)|费(?:用|了)|应该|原(?:来|户|先)|卫生|楼|高(?:压|层|龄|三|中|血压|血糖|烧|考|速|铁)|程(?:序|度)|万(?:科|达|一|分)|安(?:装|全|置|居)|单(?:身|相|位|独|子)|白(?:天|内|癜)"
    r"|石油|何(?:时|地|必|况)|方(?:便|面|法)|门|路(?:过|边|上|灯)|商|平|金(?:银|融|额)|江(?:汉|岸|夏|边|陵|苏|滩)|汉|武(?:汉|昌)|向(?:你|您|他|上)"
    r"|成(?:都|年|功|本|天)|管(?:理|家|道|用)|于|左(?:边|右|邻)|关(?:于|门|机|掉|了|心|系)|申(?:请|报|诉)|游客|章程|盛|许(?:多|久)|康复"
    r"|施工|任(?:何|务)|董事|包工|文(?:员|化|件)|温(?:度|室|暖)|钱[没多交都不已怎呢]|祝(?:你|您)|谢谢|马(?:上|路)|严重|余额|符合|易|张嘴|顾客"
    r"|代|尚(?:未|且)|童|史|孔|牛奶|龙虾|梅雨|毕(?:业|竟)|季度|路段|曾(?:经|祖)|任教|段时间|雷电|雷雨|黄昏|黄了|苗|谷电|谷段|季节|付(?:款|费|了|过|钱|清)"
    r"|莫(?:非|名|要|急)|殷|齐|舒服|舒适|辛苦|苏醒|贺|温州|白白|纪念|管不|关不|申办|尹|向来|毛病|江苏|汤|孔|高高|周(?:一|二|三|四|五|六|日|末|边|围|期)"
    r"|夏(?:天|季)|林业|林场|田里|万元|白班|金属|段位|石头|柳河|云岭|樊城|洪山|青山|黄陂|江滩)"
)
_SAID = [
    re.compile(rf"(?:他|她|{_KIN})的?(?:名字|大名|本名|全名)?(?:是叫|叫做?|名叫){_G}({_DOTTED}|{_FULL})"),
    re.compile(rf"{_SLOT}(?:的名字|姓名)?{_G}{_SAYS}{_G}(?:我?{_KIN}{_G})?(?!{_WORDS})({_DOTTED}|{_FULL})"),
    re.compile(rf"{_SLOT}[ \u200b]?(?!{_WORDS})({_USUAL}){_END}"),
    re.compile(rf"{_KIN}(?:是|[:：])?{_G}(?!{_WORDS})(?!{_PLACE})({_WHOLE}){_END}"),
]
# What somebody says of himself: of no use where agents write, who give their names to everybody.
_SAID_OF_ONESELF = [
    re.compile(rf"(?:我|俺|咱)的?(?:名字|大名|本名|全名)?(?:是叫|叫做?|名叫){_G}({_DOTTED}|{_FULL})"),
    re.compile(rf"(?:(?:我|俺|这[里边]|咱)(?:就?是|系)|本人){_G}(?!{_WORDS})(?!{_PLACE})({_USUAL}){_END}"),
    re.compile(rf"(?<=姓[一-龥])[，, \u200b]*(?:名字?|叫|全名)[是叫]?({_FULL}|[一-龥]{{1,2}}{_END})"),
    re.compile(r"姓(?=([一-龥])[，, \u200b]{1,2}\1)[一-龥][，, \u200b]{1,2}([一-龥]{2,3})"),
    re.compile(rf"(?:本人|签名|署名|落款|转交|交给|——|--)[:：]?{_G}(?!{_WORDS})({_USUAL}){_END}"),
    # 我叫 with a rare surname, as long as it ends like a name
    re.compile(
        r"(?:我|他|她)(?:的名字)?叫(?![你您我他她它人谁啥什么车师了过不没得来一个电])([一-龥]{2,3})(?=$|[，,。.；;！!\s0-9])"
    ),
]
_BEFORE_PHONE = re.compile(
    rf"(?:^|[^一-龥])(?!{_WORDS})({_BEFORE})[\s，,、:：\-(（\u200b]*(?:的?(?:手机|电话|联系电话|联系方式|手机号码?|号码|tel)[是:：]?\s*)?$"
)
_ASKS = re.compile(r"名字|姓名|户主|联系人|申请人|单位名称|叫什么|怎么称呼|贵姓|全称|抬头")
_NO_NAME = re.compile(r"[0-9?？]|不[想用要说是知]|为什么|人工|转|^(?:是|好|可以|取消|算了|没有|跳过)")
_LEAD = re.compile(rf"^(?:{_SLOT}|我|他|她|的|{_KIN}|就|{_SAYS}|\s|姓[一-龥][，,])*")
NEAR = 30  # characters before a telephone number in which a name is looked for
MOST = 30  # characters of an answer that is a name


def mark_names(
    marks: Marks, phones: Iterable[tuple[int, int]], asked: str, staff: Collection[str] | None = None
) -> None:  # fmt: skip
    """Hide the names that are said; `phones` are stretches before which one may stand, `asked` the question before.

    `staff`: one of ours writes; who he says he is stays, and so do these names of colleagues.
    """
    spans = [
        found.span(found.lastindex or 1)
        for pattern in (_SAID if staff is not None else (*_SAID, *_SAID_OF_ONESELF))
        for found in pattern.finditer(marks.plain)
    ]
    for start, _ in phones:
        away = max(start - NEAR, 0)
        before = _BEFORE_PHONE.search(marks.plain[away:start])
        if before:
            spans.append((before.start(1) + away, before.end(1) + away))
    for start, end in spans:
        if not any(marks.plain.startswith(name, start) for name in staff or () if name):
            mark_name(marks, start, end)
    if _ASKS.search(asked):
        _mark_answer(marks)


def mark_name(marks: Marks, start: int, end: int) -> None:
    """Hide all of a name but its first and, from three characters on, its last character."""
    shown = [place for place in range(start, end) if not marks.plain[place].isspace() and marks.plain[place] != GAP]
    for place in shown[1:-1] if len(shown) > 2 else shown[1:] or shown:
        marks.hide(place, place + 1, HIDE)


def _mark_answer(marks: Marks) -> None:
    """Hide a whole message that answers the question after a name."""
    text = marks.plain
    if len(text) > MOST or _NO_NAME.search(text):
        return
    lead = _LEAD.match(text)
    start = lead.end() if lead else 0
    said = re.match(r"[^，,。；;！!]+", text[start:])
    if said and len(said[0].strip()) >= 2:
        mark_name(marks, start, start + said.end())
