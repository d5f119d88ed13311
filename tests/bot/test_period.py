"""Periods and days in customers' words, resolved against one fixed day of asking."""

from __future__ import annotations

import random
import time
from datetime import date

import pytest

from bot.language.period import find_dates, find_periods

TODAY = date(2026, 11, 21)  # a Saturday

PERIODS = """
上个月电费多少 | 2026-10/2026-10 month
上月的账单发我 | 2026-10/2026-10 month
上上个月呢 | 2026-09/2026-09 month
前个月用了几多 | 2026-09/2026-09 month
大前个月的 | 2026-08/2026-08 month
这个月还差多少没交 | 2026-11/2026-11 month
本月电量 | 2026-11/2026-11 month
当月的明细 | 2026-11/2026-11 month
当前这期出账了没 | 2026-11/2026-11 month
上一期的账单 | 2026-10/2026-10 month
下个月会不会涨 | 2026-12/2026-12 month
上个月子的电费 | 2026-10/2026-10 month
上哈月走了几多度 | 2026-10/2026-10 month
前头那个月的电飞 | 2026-10/2026-10 month
头一个月 | 2026-10/2026-10 month
上各月电费 | 2026-10/2026-10 month
上个约的电费是多少 | 2026-10/2026-10 month
上個月電費 | 2026-10/2026-10 month
上 个 月 | 2026-10/2026-10 month
看上上月账单 | 2026-09/2026-09 month
去年12月电费 | 2025-12/2025-12 month
前年三月份的 | 2024-03/2024-03 month
大前年用了多少 | 2023-01/2023-12 year
那前年呢 | 2024-01/2024-12 year
去年一共交了多少 | 2025-01/2025-12 year
去年一年花了几多 | 2025-01/2025-12 year
2025年全年的电量 | 2025-01/2025-12 year
今年总共多少 | 2026-01/2026-11 year
今年以来用了多少 | 2026-01/2026-11 year
今年到现在一共几多度 | 2026-01/2026-11 year
全年用电 | 2026-01/2026-11 year
上一年的总电费 | 2025-01/2025-12 year
24年的电费 | 2024-01/2024-12 year
近半年的账单 | 2026-05/2026-10 months
最近半年 | 2026-05/2026-10 months
这大半年电费都高 | 2026-05/2026-10 months
近三个月 | 2026-08/2026-10 months
最近3个月的用电量 | 2026-08/2026-10 months
过去的六个月 | 2026-05/2026-10 months
近三月账单 | 2026-08/2026-10 months
这几个月怎么这么高 | 2026-08/2026-10 months
过去一年 | 2025-11/2026-10 months
近一年的 | 2025-11/2026-10 months
这一年的电费 | 2025-11/2026-10 months
近12个月 | 2025-11/2026-10 months
这两个月电费怎么高了 | 2026-09/2026-10 months
前两个月的发票 | 2026-09/2026-10 months
头两个月 | 2026-09/2026-10 months
这俩月 | 2026-09/2026-10 months
近一个月用了多少 | 2026-10/2026-10 month
今年前三个月 | 2026-01/2026-03 months
去年最后两个月 | 2025-11/2025-12 months
今年夏天的空调电费 | 2026-06/2026-08 season
去年冬天 | 2025-12/2026-02 season
今年春天 | 2026-03/2026-05 season
去年秋天交了多少 | 2025-09/2025-11 season
整个冬天都这么高 | 2025-12/2026-02 season
上个夏天 | 2026-06/2026-08 season
暑假两个伢在屋里，暑假电费几多 | 2026-07/2026-08 season; 2026-07/2026-08 season
寒假 | 2026-01/2026-02 season
去年春节 | 2025-01/2025-02 months
今年过年用了多少电 | 2026-02/2026-02 month
春节的电费 | 2026-02/2026-02 month
过年期间的用电 | 2026-02/2026-02 month
国庆的用电 | 2026-10/2026-10 month
去年五一那个月 | 2025-05/2025-05 month
2026年一季度 | 2026-01/2026-03 quarter
第3季度 | 2026-07/2026-09 quarter
上个季度的账单 | 2026-07/2026-09 quarter
本季度 | 2026-10/2026-12 quarter
去年四季度 | 2025-10/2025-12 quarter
前三季度 | 2026-01/2026-09 months
今年上半年 | 2026-01/2026-06 half
去年下半年 | 2025-07/2025-12 half
上半年的电费 | 2026-01/2026-06 half
上半拉年用了几多 | 2026-01/2026-06 half
七八月份的电费 | 2026-07/2026-08 months
7、8月份 | 2026-07/2026-08 months
78月份电费 | 2026-07/2026-08 months
六七八三个月 | 2026-06/2026-08 months
十一二月的 | 2025-11/2025-12 months
去年七八月 | 2025-07/2025-08 months
7到9月 | 2026-07/2026-09 range
7-9月份 | 2026-07/2026-09 range
12月到2月 | 2025-12/2026-02 range
去年12月到今年2月 | 2025-12/2026-02 range
2024年3月至5月 | 2024-03/2024-05 range
去年11月到2月 | 2025-11/2026-02 range
24年10月 | 2024-10/2024-10 month
二零二四年十月 | 2024-10/2024-10 month
二四年十月 | 2024-10/2024-10 month
2024-10 | 2024-10/2024-10 month
2024/10的账单 | 2024-10/2024-10 month
2024.10 | 2024-10/2024-10 month
20年的电费 | 2020-01/2020-12 year
开年到现在 | 2026-01/2026-11 range
查202410 | 2024-10/2024-10 month
2025-11到2026-03 | 2025-11/2026-03 range
２０２４年１０月 | 2024-10/2024-10 month
9月份 | 2026-09/2026-09 month
九月 电费 | 2026-09/2026-09 month
十一月的 | 2026-11/2026-11 month
12月的账单 | 2025-12/2025-12 month
八月份夜里那一截占到几成了 | 2026-08/2026-08 month
3月花了多少钱 | 2026-03/2026-03 month
3月光伏发了多少 | 2026-03/2026-03 month
9月和10月的 | 2026-09/2026-09 month; 2026-10/2026-10 month
冬月的电费 | 2026-11/2026-11 month
腊月用了几多 | 2025-12/2025-12 month
正月电费好高 | 2026-01/2026-01 month
年初的账单 | 2026-01/2026-01 month
去年年底那张单子 | 2025-12/2025-12 month
去年底 | 2025-12/2025-12 month
从3月份到现在 | 2026-03/2026-11 range
去年10月至今 | 2025-10/2026-11 range
去年同期 | 2025-11/2025-11 month
10月跟去年同期比涨了好多 | 2026-10/2026-10 month; 2025-10/2025-10 month
今年上半年和去年同期 | 2026-01/2026-06 half; 2025-01/2025-06 half
去年这个时候 | 2025-11/2025-11 month
上个月和这个月 | 2026-10/2026-10 month; 2026-11/2026-11 month
1987年6月用电 | 1987-06/1987-06 month
1998年的电费 | 1998-01/1998-12 year
一九九八年的账单 | 1998-01/1998-12 year
2005年10月的 | 2005-10/2005-10 month
不是上个月，是上上个月 | 2026-09/2026-09 month
我要上上个月的不是上个月 | 2026-09/2026-09 month
不要九月的 要八月的 | 2026-08/2026-08 month
是不是上个月多收了 | 2026-10/2026-10 month
不是上个月交过了吗 | 2026-10/2026-10 month
"""

NO_PERIODS = """
三个月没交会怎么样
将近三个月没交了
出国三个月回来
一个月多少钱
每个月固定收我120
每月几号抄表
11点来电没有
11号楼停电了
三月花园停电了
十月怀胎
户号4202410123
4202410123456
户号 4201 202410 123
13507202410
半年没人住
几个月没住人
一年到头都这样
晚上月亮好大
网上月结怎么开通
坐月子怕冷，开着空调
上年纪的人不会弄手机
目前年轻人都用手机交
年中才搬进来
你过年回不回家
厂子春节前后停工
夏天怎么省电
国庆路停电了
上半月
三个季度
20年老房子
买了20年的空调
工单20261119008127
5.12元
今年八十岁了
这期间一直没电
提前三个月申请
过去看看
一月一次
13月电费
2019年13月的账单
十三月份用了多少
2025年00月
2月30日停电吗
去年2月30号的电量
2099年8月的电费
11月32号的电量
1998年建的老房子
我1987年出生的
"""

DATES = """
昨天用了多少度 | 2026-11-20
前天停的电 | 2026-11-19
大前天 | 2026-11-18
昨晚就没电 | 2026-11-20
今日停电吗 | 2026-11-21
明天真要停啊 | 2026-11-22
后天呢 | 2026-11-23
上周三的电量 | 2026-11-11
下周三一天没电 | 2026-11-25
还有下周一是不是要停 | 2026-11-23
上个星期天 | 2026-11-15
这周五停了一天 | 2026-11-20
礼拜二停电吗 | 2026-11-24
上周用了几多 | 2026-11-09 2026-11-15
昨天前天都停 | 2026-11-20 2026-11-19
近7天的用电 | 2026-11-14 2026-11-20
11号的电量 | 2026-11-11
十一号 | 2026-11-11
28号停电吗 | 2026-11-28
28号用了多少度 | 2026-10-28
31号扣了我的钱 | 2026-10-31
11月15日 | 2026-11-15
11月15号 | 2026-11-15
11月15那天 | 2026-11-15
12月3日停电通知 | 2026-12-03
12月3日用了几多 | 2025-12-03
去年11月15号 | 2025-11-15
2024-10-15 | 2024-10-15
2024年10月5日 | 2024-10-05
20241015 | 2024-10-15
这个月17号 | 2026-11-17
上个月5号交的 | 2026-10-05
11号到15号它还在走没？走了几多？ | 2026-11-11 2026-11-15
11到15号 | 2026-11-11 2026-11-15
28号到3号用了几多 | 2026-10-28 2026-11-03
10月3号到8号 | 2026-10-03 2026-10-08
国庆节那天停电了 | 2026-10-01
大年初一那天 | 2026-02-17
除夕 | 2026-02-16
去年今天 | 2025-11-21
三天前报的修 | 2026-11-18
"""

NO_DATES = """
11号楼三单元
珞喻路1037号西十二舍
解放大道12号
3号变压器响
每月5号扣款
三天两头跳闸
周末管不管送
一周三次
2号线
第15号
以后日子长
老周一直没接电话
提前天天说
工作日上班吗
今年上半年
2月30号
11月32号
2025年4月31日
"""


def rows(table: str) -> list[tuple[str, str]]:
    return [tuple(part.strip() for part in line.split("|")) for line in table.strip().splitlines()]


@pytest.mark.parametrize(("text", "expected"), rows(PERIODS))
def test_period_is_resolved_to_its_months(text: str, expected: str) -> None:
    found = "; ".join(f"{period.value} {period.grain}" for period in find_periods(text, TODAY))
    assert found == expected


@pytest.mark.parametrize("text", NO_PERIODS.strip().splitlines())
def test_what_only_looks_like_a_period_is_left_alone(text: str) -> None:
    assert find_periods(text, TODAY) == []


@pytest.mark.parametrize(("text", "expected"), rows(DATES))
def test_day_is_resolved_to_its_date(text: str, expected: str) -> None:
    assert " ".join(day.value for day in find_dates(text, TODAY)) == expected


@pytest.mark.parametrize("text", NO_DATES.strip().splitlines())
def test_what_only_looks_like_a_day_is_left_alone(text: str) -> None:
    assert find_dates(text, TODAY) == []


@pytest.mark.parametrize("text", ["11月15号的电量", "这个月17号", "去年国庆节那天", "2024-10-15", "11号到15号"])
def test_a_day_is_not_also_a_period(text: str) -> None:
    assert find_periods(text, TODAY) == []


@pytest.mark.parametrize(
    ("today", "text", "expected"),
    [
        (date(2026, 1, 5), "上个月", "2025-12/2025-12"),
        (date(2026, 1, 5), "上上个月", "2025-11/2025-11"),
        (date(2026, 1, 5), "近半年", "2025-07/2025-12"),
        (date(2026, 1, 5), "9月份", "2025-09/2025-09"),
        (date(2026, 1, 5), "上个季度", "2025-10/2025-12"),
        (date(2026, 1, 5), "下半年", "2025-07/2025-12"),
        (date(2026, 1, 5), "上半年", "2026-01/2026-06"),
        (date(2026, 1, 5), "今年冬天", "2025-12/2026-02"),
        (date(2026, 3, 1), "今年夏天", "2026-06/2026-08"),
        (date(2026, 3, 1), "暑假", "2025-07/2025-08"),
        (date(2026, 1, 5), "春节的电费", "2025-01/2025-02"),
        (date(2024, 2, 29), "去年这个时候", "2023-02/2023-02"),
    ],
)
def test_the_day_of_asking_decides_near_the_turn_of_the_year(today: date, text: str, expected: str) -> None:
    assert [period.value for period in find_periods(text, today)] == [expected]


def test_span_points_into_the_message_as_it_was_written() -> None:
    text = "麻烦问下　上個月電費"
    (period,) = find_periods(text, TODAY)
    assert (period.text, text[period.start : period.end]) == ("上個月", "上個月")
    assert (period.first, period.last) == (date(2026, 10, 1), date(2026, 10, 1))


def test_odd_text_of_any_length_raises_nothing() -> None:
    dice = random.Random(7)
    alphabet = "上下前去今明大年月日号天半个季度春夏秋冬到至近这两三十一二〇周末初底节过国庆五"
    alphabet += "0123456789-/.、 \0\n\t😀Q"
    for length in [0, 1, 5, 20, 80] * 40 + [10_000]:
        text = "".join(dice.choice(alphabet) for _ in range(length))
        for found in (*find_periods(text, TODAY), *find_dates(text, TODAY)):
            assert found.first <= found.last
            assert found.text == text[found.start : found.end]


def test_a_message_takes_less_than_a_millisecond() -> None:
    text = "麻烦问下去年12月到今年2月我们屋里的电费是几多，怎么比前年同期高这么多"
    find_periods(text, TODAY)
    begun = time.perf_counter()
    for _ in range(200):
        find_periods(text, TODAY)
    assert (time.perf_counter() - begun) / 200 < 0.001
