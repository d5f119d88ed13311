"""What customers ask here, in words of their own: none of these sentences is in the training data.

A question has the kind of card that answers it and the months meant, counted from the day of asking: `(first, last)`
are distances in months from this month, or come from a function of today.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta

from billing_facts import month_end, month_of

Months = Callable[[date], tuple[date, date]]


def back(first: int, last: int | None = None) -> Months:
    """Months counted from this one: back(-6, -1) are the last six whole ones. Returns their first and last day."""
    return lambda today: (month_of(today, first), month_end(month_of(today, first if last is None else last)))


def of_year(years: int, first: int, last: int) -> Months:
    """The months `first` to `last` of a year counted from this one."""
    return lambda today: (date(today.year + years, first, 1), month_end(date(today.year + years, last, 1)))


def this_year(today: date) -> tuple[date, date]:
    return date(today.year, 1, 1), month_end(month_of(today))


def yesterday(today: date) -> tuple[date, date]:
    return today - timedelta(days=1), today - timedelta(days=1)


def last_quarter(today: date) -> tuple[date, date]:
    end = month_of(today, -((today.month - 1) % 3) - 1)
    return month_of(end, -2), month_end(end)


def same_month_before(years: int) -> Months:
    """Last month's month, in a year counted from this one."""
    return lambda today: of_year(years, month_of(today, -1).month, month_of(today, -1).month)(today)


@dataclass(frozen=True)
class Ask:
    """One thing said, what kind of answer it wants, and of which account (by place among the customer's own)."""

    words: str | Callable[[date, tuple[str, ...]], str]
    kind: str  # bill_card | usage_chart | usage_days | balance_card | payment_list | which | no_figures
    months: Months = field(default=back(-1))
    account: int = 0
    press: bool = False  # answered by the button of `account` instead of words

    def text(self, today: date, accounts: tuple[str, ...]) -> str:
        return self.words if isinstance(self.words, str) else self.words(today, accounts)


BILL, USAGE, BALANCE, PAYMENTS = "bill_card", "usage_chart", "balance_card", "payment_list"
SUMMER = of_year(0, 6, 8) if date.today().month > 8 else of_year(-1, 6, 8)
SUMMER_YEAR = "今年" if date.today().month > 8 else "去年"
QUARTER_YEAR = 0 if date.today().month > 3 else -1
HALF_YEAR = 0 if date.today().month > 6 else -1
JULY_AUGUST = of_year(0, 7, 8) if date.today().month > 8 else of_year(-1, 7, 8)

# customer (see `conftest.CUSTOMERS`) -> what is said in one conversation
CONVERSATIONS: list[tuple[str, list[Ask]]] = [
    ("family", [
        Ask("我上个月电费多少", BILL),
        Ask("那用了多少度呢", USAGE),
        Ask("那前年呢", USAGE, same_month_before(-2)),
    ]),
    ("family", [
        Ask("麻烦看下去年12月份的账单，总共扣了多少钱", BILL, of_year(-1, 12, 12)),
        Ask("那前年呢", BILL, of_year(-2, 12, 12)),
        Ask("上个月的呢", BILL),
    ]),
    ("family", [
        Ask("近半年的电费加起来是几多", BILL, back(-6, -1)),
        Ask("屋里头这两个月的电费几多钱咧", BILL, back(-2, -1)),
        Ask(f"{SUMMER_YEAR}夏天我们家电费总共多少", BILL, SUMMER),
        Ask(lambda today, _: f"{today.year + QUARTER_YEAR}年一季度的电费账单帮我拉一下", BILL,
            of_year(QUARTER_YEAR, 1, 3)),
        Ask("七八月份的电费分别是多少", BILL, JULY_AUGUST),
    ]),
    ("family", [
        Ask("上上个月一共走了多少度电", USAGE, back(-2)),
        Ask("去年全年用了多少度", USAGE, of_year(-1, 1, 12)),
        Ask("昨天我家用了几度电", "usage_days", yesterday),
        Ask("这个月到现在用了好多电了", USAGE, back(0)),
        Ask(f"{SUMMER_YEAR}夏天跟往年比，我家用电量是多少", USAGE, SUMMER),
    ]),
    ("family", [
        Ask("我现在欠不欠你们电费", BALANCE),
        Ask("账上还剩多少钱呀", BALANCE),
        Ask("最近半年我的缴费流水给我列一下", PAYMENTS, back(-6, -1)),
        Ask("上个月的电费我交过没有", PAYMENTS),
    ]),
    ("charging", [
        Ask("上个月电费是多少钱", "which"),
        Ask("", BILL, account=1, press=True),
        Ask("那去年呢", BILL, same_month_before(-1), account=1),
        Ask(lambda _, mine: f"那尾号{mine[0][-4:]}的呢", BILL, same_month_before(-1)),
    ]),
    ("charging", [
        Ask("车位上充电桩那个户号上月电费多少", BILL, account=1),
        Ask("它谷段用了多少度电", USAGE, account=1),
        Ask("充电桩近三个月总用电量", USAGE, back(-3, -1), account=1),
    ]),
    ("three_homes", [
        Ask("帮我看看上月电费", "which"),
        Ask("第三个", BILL, account=2),
        Ask("第一个呢", BILL),
        Ask(lambda _, mine: f"尾号{mine[1][-4:]}那个上个月用了多少度", USAGE, account=1),
    ]),
    ("three_homes", [
        Ask("商铺那个户号去年8月的电费", BILL, of_year(-1, 8, 8), account=2),
        Ask(lambda _, mine: f"户号{mine[1]}欠费吗", BALANCE, account=1),
    ]),
    ("factory", [
        Ask("厂里上月的电费单总额多少，明细也要", BILL),
        Ask("我们公司去年一季度用电量是多少千瓦时", USAGE, of_year(-1, 1, 3)),
        Ask("上个季度电费合计多少元", BILL, last_quarter),
        Ask("上月峰谷平各用了多少电", USAGE),
        Ask("请查询我司当前是否存在未结清电费", BALANCE),
    ]),
    ("arrears", [
        Ask("我屋里是不是欠费了，差多少", BALANCE),
        Ask("我现在要补多少钱才算清", BALANCE),
        Ask("最近交过哪些钱，查一下缴费记录", PAYMENTS, lambda today: (month_of(today, -6), today)),
        Ask("上个月账单多少钱", BILL),
    ]),
    ("prepaid", [
        Ask("我电表里头还剩几多钱", BALANCE),
        Ask("余额还够不够，还有多少", BALANCE),
        Ask("这半年我充了几次电费，每次多少", PAYMENTS, back(-6, -1)),
        Ask("上个月用了多少度电", USAGE),
    ]),
    ("newcomer", [
        Ask("上个月电费几多", BILL),
        Ask(lambda today, _: f"查一下{today.year - 2}年2月的电费", "no_figures"),
        Ask("这个月的电费账单出来了没", "no_figures"),
    ]),
    ("shop", [
        Ask("店里上个月电费多少钱", BILL),
        Ask(lambda today, _: f"{today.year - 1}年10月这个店的电费账单", BILL, of_year(-1, 10, 10)),
        Ask("最近一年每个月的电费各是多少", BILL, back(-12, -1)),
    ]),
    ("farm", [
        Ask("今年以来我们合作社用了多少电", USAGE, this_year),
        Ask("去年上半年的电费合计", BILL, of_year(-1, 1, 6)),
        Ask("上一期电费是多少", BILL),
    ]),
    ("large", [
        Ask(lambda today, _: f"{month_of(today, -1).month}月份的电费麻烦查一哈", BILL),
        Ask(lambda today, _: f"想看{today.year - 1}年11月到{today.year}年1月的账单", BILL,
            lambda today: (date(today.year - 1, 11, 1), month_end(date(today.year, 1, 1)))),
        Ask("上个月电费是什么时候交的，交了多少", PAYMENTS),
        Ask("上半年用电量", USAGE, of_year(HALF_YEAR, 1, 6)),
    ]),
]  # fmt: skip
