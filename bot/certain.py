"""What the model only guesses is not acted upon: no form opens, no alarm is raised and nothing is confirmed by chance.

`sober` corrects what was understood before anything else looks at it. What is not believed becomes `nlu_fallback`,
whose action answers from knowledge or offers what the ranking holds; the ranking itself stays as it was read.
"""

import re
from typing import Any, Dict, List, Optional, Text, Tuple

from rasa.shared.constants import DEFAULT_NLU_FALLBACK_INTENT_NAME as FALLBACK
from rasa.shared.nlu.constants import INTENT, INTENT_NAME_KEY, INTENT_RANKING_KEY, PREDICTED_CONFIDENCE_KEY

from bot.components.machines import DOUBLE

# Below LEAST an intent is a guess. Of 692 right answers of the validation sets this loses 3, of 42 wrong ones 6; of
# their garbled variants 5 of 673 and 3 of 40. From 0.5 on one right answer in a hundred would be lost.
LEAST = 0.4
DOUBTFUL_DANGER = 0.5  # below this an alarm needs a word that speaks of danger
DOUBTFUL_DOUBLE = 0.5  # below this two wishes need a place where one ends and the other begins
DANGER, AFFIRM, ASIDE = "report_danger", "affirm", "out_of_scope"
# These are never taken for guesses: an alarm has its own rule, the others change nothing.
NEVER = frozenset({DANGER, ASIDE, FALLBACK, "greet", "thank", "goodbye"})

# 麻烦, 在线, 水费 are no danger. 闸 and 掉 alone are none either: a breaker that tripped.
_HARMLESS = re.compile("麻烦|麻将|热线|在线|上线|下线|线上|线下|路线|无线|水[电果费平]|火车|火锅|烟酒|味道")
_DANGEROUS = re.compile(
    "[火烟麻倒糊煳焦漏爆炸冒烧线杆弧裸露淹泡浸炽塌垮砸撞晕伤臭味烫融熔🔥🆘]|水|电[人到了死倒]|[触带过]电|打手"
    "|滋滋|噼|啪|救|求援|危险|吓人|要命|死人|没气|不动|击穿|爬|裂|歪|斜"
)
# A sign, be it one letter or digit, or a picture that says yes, no, hello, thanks or help by itself.
_SPEAKING = re.compile("[0-9A-Za-z０-９Ａ-Ｚａ-ｚ〇\u3400-\u9fff\U00020000-\U0003ffff👌👍✅🆗✔💯❌👎🙅✖👋🙏🌹🔥🆘]")
_YES = re.compile(
    "[是对好行嗯恩唔得中成办可要系昂噢准妥搞弄整填交定确照依按然批属正阔欧肯需必晓斯兑1１👌👍✅🆗✔💯]"
    "|没[错问毛]|冇[错问]|来吧|收到|继续|一样|那个|这个|不错|废话|同意|点头|有的|队头|彳亍"
    "|ok|okay|okk|ojbk|yes|yep|yeah|sure|right|(?<![a-z])[yk](?![a-z])",
    re.IGNORECASE,
)
_ASKING = re.compile("啥|什么|么子|么事|怎么|咋|(?<!嗯)哪|谁|[吗么]$|[?？]$")
_JOINT = re.compile(r"[\s，。！？、；：,.!?;:…~]\s*\S|顺便|顺带|另外|还有|再|同时|然后|对了|以及|接着|也|又|并|还")
_STRETCH = 30  # characters; so long a message may hold two wishes without a joint
Parsed = Dict[Text, Any]


def sober(parsed: Parsed) -> Parsed:
    """Return what was understood, less what is but a guess; nothing is changed in place."""
    text = str(parsed.get("text") or "").strip()
    parsed = _single(parsed, text)
    name, sure = _named(parsed[INTENT])
    if name == DANGER:
        return parsed if sure >= DOUBTFUL_DANGER or _is_dangerous(text) else _second(parsed)
    unsaid = not _SPEAKING.search(text) or (name == AFFIRM and not _says_yes(text))
    return _as(parsed, FALLBACK, sure) if unsaid or (name not in NEVER and sure < LEAST) else parsed


def _is_dangerous(text: Text) -> bool:
    return _DANGEROUS.search(_HARMLESS.sub("", text)) is not None


def _says_yes(text: Text) -> bool:
    return _YES.search(text) is not None and not _ASKING.search(text)


def _second(parsed: Parsed) -> Parsed:
    """Return the message as what it likeliest is if it is no danger."""
    others = [one for one in _ranked(parsed) if one[0] != DANGER and DOUBLE not in one[0]]
    name, sure = others[0] if others else (FALLBACK, 0.0)
    likely = sure >= LEAST and (name != AFFIRM or _says_yes(str(parsed.get("text") or "")))
    return _as(parsed, name if likely else FALLBACK, sure)


def _single(parsed: Parsed, text: Text) -> Parsed:
    """Return a doubtful double wish as the likelier of its two; any other message as it is."""
    name, sure = _named(parsed[INTENT])
    halves = name.split(DOUBLE)
    if len(halves) == 1 or sure >= DOUBTFUL_DOUBLE:
        return parsed
    wished = [half for half in halves if half != ASIDE]
    if len(wished) == len(halves) and (len(text) > _STRETCH or _JOINT.search(text)):
        return parsed
    scores = dict(_ranked(parsed))
    best = max(wished, key=lambda half: scores.get(half, 0.0))
    return _as(parsed, best, scores.get(best, sure))


def _ranked(parsed: Parsed) -> List[Tuple[Text, float]]:
    return [_named(one) for one in parsed.get(INTENT_RANKING_KEY) or ()]


def _named(intent: Optional[Parsed]) -> Tuple[Text, float]:
    intent = intent or {}
    return str(intent.get(INTENT_NAME_KEY)), float(intent.get(PREDICTED_CONFIDENCE_KEY) or 0.0)


def _as(parsed: Parsed, name: Text, sure: float) -> Parsed:
    # No deep copy: the intent may be the same object as the first of the ranking, which must not change.
    return {**parsed, INTENT: {**parsed[INTENT], INTENT_NAME_KEY: name, PREDICTED_CONFIDENCE_KEY: sure}}
