"""After a person gave the conversation back: who asks when the promised call comes wants no further person.

何时回电 sounds like the wish for one, and 你们答应我什么了 like anything; while a hand-back note travels with the
messages (metadata `handed_back`, which the bridge leaves out once it is old), both become the question for progress,
which the actions answer from the note.
"""

import re
from typing import Any, Dict, Optional, Text

from rasa.shared.nlu.constants import INTENT, INTENT_NAME_KEY

from bot import forms, wishes
from bot.components.knowledge import KNOWLEDGE
from bot.components.machines import DOUBLE

NOTE = "handed_back"
PERSON, PROGRESS, DANGER = "request_human", "query_work_order", "report_danger"
LONGEST = 40  # characters: a longer message tells a story of its own
_ASKS_WHEN = re.compile(
    "什么时候|啥时候|么时候|么会|几时|几点|多久|好久|哪天|何时|(?:怎么|咋|为什么|为啥)[^，。]{0,3}(?:没|冇|不)"
    "|(?:没|冇)(?:人|得人|有人)|还(?:没|冇)|[没呢吗么?？]$"
)
_CALL = re.compile("打(?:给|电话|过来|个)|来(?:个)?电话|回(?:我)?(?:个)?(?:电|话|复|访)|答复|联系")

# The words of which the question for the note is made, whatever the model takes it for.
_ME = "(?:我们|我|俺|咱)"
_WHAT = "(?:些)?(?:什么|么[事斯子]|啥|哪些|哪样)"
_WHEN = "(?:什么时候|啥时|么时候|么会|几时|几点|多久|好久|哪天|何时)"
_BEFORE = "(?:刚才|刚刚|刚|先前|先头|之前|前头|前面|早先|上午|早上|下午|昨天)"
_SOMEBODY = "(?:人|位|同志|师傅|妹子|姑娘|小伙|伢|大姐|大哥|先生|女士|小姐|老师|男的|女的|女娃|男娃)"
_WHO = (
    f"(?:坐席|座席|客服|人工|工作人员|接线员|话务员|工号|{_BEFORE}[^，。]{{0,8}}?{_SOMEBODY}"
    f"|那(?:个|位|边)?小?{_SOMEBODY}|(?:^[^，。]{{0,4}}|，)[他她])"
)
_CALLS_ME = f"(?:回电|回(?:个)?话|(?:回复|答复|联系|打给|回){_ME}|打过来|(?:给|跟){_ME}(?:打|回|来|个|答复|准信))"
_HOW = (
    "(?:怎么样|怎样|咋样|么样|如何|怎么弄|咋弄|结果|下文|到哪|进度|进展"
    "|(?<!不)(?:办|搞|弄|处理|解决)(?:得(?!好|不错|很|蛮|挺|真|快)|[好成完]?了?(?:没|冇|吗|么|[?？])))"
)
_OTHER = "停电|没电|来电|电费|[交缴充报]"  # 刚才停电的事 is no matter of the talk
_OPEN = f"(?:[呢吗没冇么?？]|怎么|咋|到哪|{_WHEN})"
_PROMISED = "(?<!没)(?<!没有)(?<!^我)(?<![^跟给对向]我)(?:答应|应承|承诺|许诺|保证|许)"
_ASKED_FOR = re.compile(
    "|".join(
        (
            f"{_PROMISED}[了过好给咗]*{_ME}[的过了是都有家]*{_WHAT}(?!都|也)",
            f"{_PROMISED}[了过好给帮替]*(?:{_ME}|的)[^，。]{{0,10}}(?:{_OPEN}|，{_WHEN})",
            f"{_WHO}[^，。]{{0,8}}(?:怎么|咋个?|么样|如何)(?:[跟给对和]{_ME})?(?:说|讲|交代|答复)(?!话)",
            f"{_WHO}[^，。]{{0,8}}(?:说|讲|交代|约|许|定)[了的过是我俺]*(?:{_WHAT}(?!都|也)|{_WHEN}|么样)",
            f"{_WHO}[^，。]{{0,6}}(?:说|讲)[^。]{{0,14}}{_CALLS_ME}[^。]{{0,8}}{_OPEN}",
            f"{_WHO}(?:(?!能|可以|会|要)[^，。]){{0,6}}(?:办|搞|弄|处理|解决|查)[好成完了过到得]+(?:{_WHAT}|没|冇|吗|咋|怎么|么样)",
            f"{_WHEN}[^，。]{{0,6}}{_CALLS_ME}",
            f"{_CALLS_ME}(?:[^，。]{{0,6}}{_WHEN}|的?时间)",
            f"(?:怎么|咋个?|为什么|为啥)[^，。]{{0,3}}(?:没|冇|不)[^，。]{{0,4}}{_CALLS_ME}",
            f"电话[^，。]{{0,2}}{_WHEN}[^，。]{{0,2}}(?:打来|打过来)",
            f"等(?:你们)?的?(?:回电|回话|答复|电话)[^。]{{0,10}}(?:啥|什么|{_OPEN})",
            f"{_WHO}[^，。]{{0,4}}(?:说|讲|答应)的[^，。]{{0,4}}(?:算数|作数)",
            f"(?:说好|讲好|约好|定好)[^。]{{0,12}}(?:{_CALLS_ME}|(?:打|回|来)个?电(?!话不)|回复|答复)[^。]{{0,10}}(?:{_OPEN}|的$)",
            f"不是(?:说|讲)[^。]{{0,8}}[帮给跟替]{_ME}[^。]{{0,12}}{_OPEN}",
            f"{_BEFORE}(?:(?!{_OTHER})[^，。]){{0,8}}(?:事|问题|情况|那个|处理)(?:(?!{_OTHER})[^，。]){{0,6}}{_HOW}",
            f"那(?:件|桩|个|档子)?事[儿情]?[^，。]{{0,4}}{_HOW}",
        )
    )
)
# What comes before any note: the wish for a person or to complain, and thoughts of death (the action's answer to them).
_OTHER_WISH = re.compile(
    "转(?:人工|接|给|坐席|客服)|[找换]个?人|[要接找]个?(?:人工|客服|真人|坐席|经理)|(?:要|去|想)(?:投诉|举报|告)|投诉你|[块钱元](?:什么时候|啥时候|几时|好久)打"
    "|不想活|活不|[想去]死|自杀|轻生|活着没|活够|结束生命|跳楼|跳江"
)
# Of a clause beside the question: its intent stays, and the action puts the note before the answer.
_TOPIC = re.compile("电费|电量|度数|账单|余额|发票|停电|欠费|电价|阶梯|过户|充电桩")
_CLAUSE = re.compile("[，,。；;？?！!、 ]+")
_UNSURE = frozenset({"request_human", "query_work_order", "urge_work_order", "nlu_fallback"}) | wishes.ASIDE
_JOINT = re.compile("[，,。；;？?！!、 ]\\S|顺便|顺带|另外|还有")
Parsed = Dict[Text, Any]


def asked_after(parsed: Parsed, metadata: Optional[Dict[Text, Any]], form: Optional[Parsed] = None) -> Parsed:
    """Return what was understood, as a question for progress if it only asks for the call or for the note.

    What is written into an open form that takes free text stays the answer to that.
    """
    text, name = str(parsed.get("text") or "").strip(), str(parsed[INTENT].get(INTENT_NAME_KEY))
    if not isinstance((metadata or {}).get(NOTE), dict) or name == DANGER:
        return parsed
    called = name == PERSON and not forms.names_person(text) and _CALL.search(text) and _ASKS_WHEN.search(text)
    if not called and ((form or {}).get("free") or not _asks(text, name)):
        return parsed
    # What general knowledge has to say to these words is not what is asked for (bot/knowing.py).
    return {**parsed, KNOWLEDGE: [], INTENT: {**parsed[INTENT], INTENT_NAME_KEY: PROGRESS}}


def _asks(text: Text, name: Text) -> bool:
    """Tell whether a message asks for what the person said, did or promised, and for nothing besides."""
    if len(text) > LONGEST or _OTHER_WISH.search(text) or (DOUBLE in name and _JOINT.search(text)):
        return False
    return _ASKED_FOR.search(text) is not None and (name in _UNSURE or not _second_wish(text))


def _second_wish(text: Text) -> bool:
    return any(_TOPIC.search(one) and not _ASKED_FOR.search(one) for one in _CLAUSE.split(text))
