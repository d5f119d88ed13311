"""Writes variants.tsv: the validation messages as speech recognition and pinyin keyboards would garble them.

`.venv-bot/bin/python tests/nlu/variants.py` writes the same file again and again: every choice comes from a generator
seeded by the message. Each variant has one or two wrong characters outside its entities, so the labels stay true.
"""

from __future__ import annotations

import csv
import json
import random
import re
import sys
from collections import defaultdict
from functools import lru_cache
from pathlib import Path

import jieba
from pypinyin import lazy_pinyin

FOLDER = Path(__file__).resolve().parent
SOURCES = ("validation.tsv", "validation_web.tsv")
TARGET = FOLDER / "variants.tsv"
SEED = 20261122
# Words of the trade as speech recognition was seen to write them.
MISHEARD = {
    "户号": ("互号", "护号"), "阶梯": ("街梯", "接替"), "峰谷": ("风谷", "丰谷"), "跳闸": ("跳炸", "跳扎"),
    "空开": ("空凯", "空该"), "漏保": ("楼宝", "漏包"), "报装": ("包装", "爆装"), "增容": ("增荣", "曾容"),
    "过户": ("果户", "过互"), "销户": ("消户", "小户"), "欠费": ("千费", "欠废"), "复电": ("付电", "富电"),
    "光伏": ("光福", "光幅"), "并网": ("病网", "并往"), "充电桩": ("充电庄", "充电装"), "变压器": ("变呀器", "变压气"),
    "力调": ("利调", "力条"), "需量": ("虚量", "续量"), "低压": ("滴压", "低鸭"), "停电": ("停点", "停店"),
    "电费": ("点费", "店费", "电废"), "账单": ("帐单", "张单"), "发票": ("发飘", "罚票"), "电表": ("电标", "点表"),
    "缴费": ("交废", "叫费"), "余额": ("鱼额", "余鹅"), "人工": ("人功", "仁工"), "投诉": ("投素", "头诉"),
}  # fmt: skip
MERGED = (("zh", "z"), ("ch", "c"), ("sh", "s"), ("n", "l"), ("l", "n"), ("ang", "an"), ("ing", "in"), ("eng", "en"))
_HAN = re.compile("[一-鿿]")
_COMMON = 1800  # a keyboard offers common characters first


@lru_cache(maxsize=1)
def _sounds() -> dict[str, list[str]]:
    """Characters by toneless syllable, the common ones only, the most frequent first."""
    jieba.setLogLevel("WARNING")
    jieba.initialize()
    counts = {word: count for word, count in jieba.dt.FREQ.items() if len(word) == 1 and _HAN.match(word) and count}
    found: dict[str, list[str]] = defaultdict(list)
    for sign in sorted(counts, key=lambda each: (-counts[each], each))[:_COMMON]:
        found[lazy_pinyin(sign)[0]].append(sign)
    return found


def garble(text: str, kept: list[str]) -> str:
    """Return text with one or two wrong characters outside the words to keep; unchanged if there is no place."""
    choice = random.Random(f"{SEED} {text}")
    heard = [word for word in MISHEARD if word in text and not any(word in each for each in kept)]
    if heard:
        word = choice.choice(heard)
        text = text.replace(word, choice.choice(MISHEARD[word]), 1)
    if not heard or len(text) > 25:
        text = _swap(text, _free(text, kept), choice)
    return text


def _free(text: str, kept: list[str]) -> list[int]:
    """Places of Chinese characters that no entity may hold: digits, dates and amounts are left as they are."""
    marked = set()
    for word in [*kept, *re.findall(r"[0-9零一二两三四五六七八九十百千万点半几多]+.?", text)]:
        start = text.find(word)
        marked |= set(range(start, start + len(word))) if start >= 0 else set()
    dates = re.finditer("[今去前昨明后上下本这那年月日号天周季春夏秋冬]", text)
    marked |= {each.start() for each in dates}
    return [index for index, sign in enumerate(text) if _HAN.match(sign) and index not in marked]


def _swap(text: str, places: list[int], choice: random.Random) -> str:
    choice.shuffle(places)
    for place in places:
        sound = lazy_pinyin(text[place])[0]
        if choice.random() < 0.25:  # southern speakers merge these sounds
            sound = next((sound.replace(a, b, 1) for a, b in MERGED if a in sound), sound)
        others = [sign for sign in _sounds().get(sound, [])[:8] if sign != text[place]]
        if others:
            return text[:place] + choice.choice(others) + text[place + 1 :]
    return text


def rows() -> list[tuple[str, str, str]]:
    """Return text, intent and entities of every variant, in the order of the messages."""
    made = []
    for name in SOURCES:
        with (FOLDER / name).open(encoding="utf-8", newline="") as file:
            for text, intent, entities in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
                garbled = garble(text, [each["value"] for each in json.loads(entities)])
                # A changed word of the lexicon may no longer be there to find, so only the intent is judged.
                if garbled != text and "+" not in intent:
                    made.append((garbled, intent, "[]"))
    return made


def main() -> None:
    """Write the file."""
    with TARGET.open("w", encoding="utf-8", newline="") as file:
        file.writelines("\t".join(row) + "\n" for row in rows())
    sys.stdout.write(f"{len(rows())} variants\n")


if __name__ == "__main__":
    main()
