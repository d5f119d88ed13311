"""Names of people by the dictionary and the statistics of jieba; never imported by the bridge (start-up, memory)."""

from __future__ import annotations

import logging
from collections.abc import Collection
from functools import cache
from itertools import pairwise
from typing import Any

from core.redact.names import SURNAMES

_COMMON_WORD = 100  # times in the dictionary's texts: 白云, 成文, 万方
# What follows a surname and makes no name of it.
_TITLES = "某师总工嫂哥姐叔伯婆爹先女小老大阿"
# Surnames that stand alone as words of their own (一张, 在于, 向, 和, 安, 高, 方, 单).
_OWN_WORDS = frozenset("于向和安高方单白段钱梅蓝钟万金石水时花成盛牛马路易关解包车过能年应全符龙雷温康毛")
# Characters of which given names are made; two surnames out of three go with them into no other word.
_GIVEN = frozenset(
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛超秀霞刚桂英华玉兰萍红梅建国明志文斌鹏飞辉宇浩凯健俊帆帅旭宁龙林欢佳琳雪梦婷莉慧巧美娜婉莹倩瑶璐玲芬芸菊香珍凤翠莲云"
    "春秋冬德福贵财祥瑞良忠义孝仁礼智信宝根柱栓旺兴隆昌盛元亨利贞松柏树森海江河山峰岩石川洪波澜清源泉淑惠贤娥媛嫦琴棋诗雅琪瑾瑜珊珠璇蓉薇蕾菲菡萱若欣怡悦"
    "花铁壮大乐思念晓晨曦阳光亮灿烂耀荣誉胜利全伦道友朋章印洁雯雁燕鸽凡一子梓轩涵泽睿博雨豪嘉诚政学庆昊天翔志远生来发有"
)


def names_in(text: str) -> Collection[str]:
    """Return the names of two to four characters that begin with a surname, by the tagger of jieba."""
    words = _tagged(text)
    return [word for word, flag in words if flag == "nr" and _is_name(word)] + _cut_apart(words)


def _cut_apart(words: list[tuple[str, str]]) -> list[str]:
    """Return the names that the tagger cut behind the surname (黄 / 建军) or before the last character (李铁 / 柱)."""
    found = []
    for (one, flag), (two, _) in pairwise(words):
        near = (len(one) == 1 and one not in _OWN_WORDS) or flag == "nr"
        is_name = len(one + two) == 3 and one[0] in SURNAMES and set(one[1:] + two) <= _GIVEN
        if len(one) == 2 and one in SURNAMES and len(two) <= 2:  # 欧阳 / 娜娜
            near, is_name = True, set(two) <= _GIVEN
        if near and is_name and not _is_word(one + two):
            found.append(one + two)
    return found


def _is_name(word: str) -> bool:
    for surname in (word[:2], word[:1]):
        given = word[len(surname) :]
        if surname in SURNAMES and 1 <= len(given) <= 2 and given[0] not in _TITLES:
            return sum(char in _GIVEN for char in given) == len(given) and not _is_word(word)
    return False


def _tagged(text: str) -> list[tuple[str, str]]:
    return [(pair.word, pair.flag) for pair in _tagger().cut(text)]


def _is_word(word: str) -> bool:
    """Tell whether the dictionary holds it as something else, or as so common a name that it must be a word."""
    tag, times = _tagger().word_tag_tab.get(word, "nr"), _tagger().tokenizer.FREQ.get(word, 0)
    return tag not in ("nr", "nrt") or (len(word) == 2 and times > _COMMON_WORD)


@cache
def _tagger() -> Any:
    import jieba
    import jieba.posseg

    jieba.setLogLevel(logging.ERROR)
    tagger = jieba.posseg.dt
    tagger.initialize()
    return tagger
