"""Advice on saving: every figure comes from the readings and bills, and is recomputed here from them by SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from core.account import Account
from core.bill import Bill
from core.energy_data import EnergyDataError, EnergyFacts, energy_facts
from core.saving import Advice, advise, base_load, general_measures, is_essential, season_kwh
from core.saving_business import check_business
from core.saving_use import TooLittleUse, Worth, year_use
from core.tariff import TariffBook

if TYPE_CHECKING:
    from tests.conftest import Fill, Seeded

FACTS = energy_facts()
HOME = FACTS.home
CENT = Decimal("0.01")
FIRST, LAST = date(2025, 11, 1), date(2026, 10, 31)  # the last twelve whole months before 2026-11-22
# Whole spans of the mild, hot and cold months of that year: (day before, last day, days).
MILD = [("2025-10-31", "2025-11-30", 30), ("2026-03-31", "2026-05-31", 61), ("2026-09-30", "2026-10-31", 31)]
HOT = [("2026-06-30", "2026-08-31", 62)]
COLD = [("2025-11-30", "2026-02-28", 90)]


def accounts(session: Session, where: str) -> list[Account]:
    """Return open accounts that kept their one meter and were served all year."""
    numbers = session.scalars(
        text(
            f"select account_no from accounts a where closed_on is null and opened_on < '2025-09-01' and {where}"
            " and (select count(*) from meters m where m.account_id = a.id) = 1 order by id"
        )
    ).all()
    found = list(session.scalars(select(Account).where(Account.account_no.in_(numbers)).order_by(Account.id)))
    assert found
    return found


def stood(session: Session, account: Account, day: str) -> Decimal:
    value = session.scalar(
        text(
            "select (sharp + peak + flat + valley) * m.multiplier from daily_readings r join meters m"
            " on m.id = r.meter_id where m.account_id = :account and day = :day"
        ),
        {"account": account.id, "day": day},
    )
    return Decimal(str(value)).quantize(CENT)


def between(session: Session, account: Account, spans: Sequence[tuple[str, str, int]]) -> Decimal:
    return sum((stood(session, account, end) - stood(session, account, start) for start, end, _ in spans), Decimal(0))


def above_mild(session: Session, account: Account, spans: Sequence[tuple[str, str, int]]) -> Decimal:
    level = between(session, account, MILD) / sum(days for _, _, days in MILD)
    return max(Decimal(0), between(session, account, spans) - level * sum(days for _, _, days in spans))


def advice_for(
    session: Session, account: Account, book: TariffBook, today: date, appliances: Sequence[str] = ()
) -> Advice:
    return advise(session, account=account, book=book, facts=HOME, today=today, appliances=appliances)


def test_cooling_and_heating_are_what_the_months_use_above_the_mild_ones(seeded: Seeded) -> None:
    with seeded.database.reading() as session:
        for account in accounts(session, "user_class in ('residential', 'commercial')"):
            use = year_use(session, account=account, today=seeded.today)
            hot, cold = above_mild(session, account, HOT), above_mild(session, account, COLD)
            assert abs(season_kwh(use, HOME, "cooling") - hot) < CENT
            assert abs(season_kwh(use, HOME, "heating") - cold) < CENT


def test_year_is_the_difference_of_its_two_readings(seeded: Seeded) -> None:
    with seeded.database.reading() as session:
        for account in accounts(session, "1 = 1"):
            use = year_use(session, account=account, today=seeded.today)
            assert use.total == stood(session, account, "2026-10-31") - stood(session, account, "2025-10-31")
            assert (min(use.daily), max(use.daily), len(use.daily)) == (FIRST, LAST, 365)


def test_base_load_is_the_mean_of_the_ten_quietest_days(seeded: Seeded) -> None:
    query = text(
        "select used from (select day, m.multiplier * (sharp + peak + flat + valley - lag(sharp + peak + flat + valley)"
        " over (partition by meter_id order by day)) as used from daily_readings r join meters m on m.id = r.meter_id"
        " where m.account_id = :account) d where day between :first and :last order by used limit 10"
    )
    with seeded.database.reading() as session:
        for account in accounts(session, "user_class = 'residential'"):
            days = {"account": account.id, "first": str(FIRST), "last": str(LAST)}
            lowest = [Decimal(str(value)) for value in session.scalars(query, days)]
            use = year_use(session, account=account, today=seeded.today)
            assert abs(base_load(use, HOME) - sum(lowest) / 10) < CENT


def test_saved_kwh_are_the_dearest_of_the_year(seeded: Seeded, book: TariffBook) -> None:
    prices = (Decimal("0.558"), Decimal("0.608"), Decimal("0.858"))
    with seeded.database.reading() as session:
        tiers = set()
        for account in accounts(session, "plan_code = 'hubei.residential.tier' and large_family_kwh = 0"):
            use = year_use(session, account=account, today=seeded.today)
            worth = Worth.of(book, account, use, today=seeded.today)
            over = [max(Decimal(0), use.total - bound) for bound in (Decimal(4800), Decimal(2160))]
            third, second = over[0], over[1] - over[0]
            tier = 3 if third else 2 if second else 1
            tiers.add(tier)
            assert (worth.tier, worth.top_price) == (tier, prices[tier - 1])
            assert worth.yuan(third + second) == (third * prices[2] + second * prices[1]).quantize(CENT)
            assert worth.yuan(use.total * 2) == worth.yuan(use.total)
        assert len(tiers) > 1


def test_large_family_reaches_a_tier_later(seeded: Seeded, book: TariffBook) -> None:
    with seeded.database.reading() as session:
        for account in accounts(session, "large_family_kwh > 0"):
            use = year_use(session, account=account, today=seeded.today)
            worth = Worth.of(book, account, use, today=seeded.today)
            assert worth.bounds == (Decimal(3360), Decimal(6000))


def test_two_degrees_milder_save_what_the_sources_say(seeded: Seeded, book: TariffBook) -> None:
    with seeded.database.reading() as session:
        (account, *_) = accounts(session, "profile = 'children'")
        advice = advice_for(session, account, book, seeded.today, ["空调"])
        hot = above_mild(session, account, HOT)
        cooling = advice.measures[0]
        assert cooling.key == "cooling"
        assert abs(cooling.kwh_low - hot * (1 - Decimal("0.95") ** 2)) < CENT
        assert abs(cooling.kwh_high - hot * (1 - Decimal("0.92") ** 2)) < CENT
        assert cooling.yuan_low == advice.worth.yuan(cooling.kwh_low)


def test_at_most_three_measures_best_first(seeded: Seeded, book: TariffBook) -> None:
    with seeded.database.reading() as session:
        for account in accounts(session, "user_class in ('residential', 'commercial', 'shared_meter')"):
            means = [measure.mean for measure in advice_for(session, account, book, seeded.today).measures]
            assert 1 <= len(means) <= 3
            assert means == sorted(means, reverse=True)


def test_named_appliance_comes_first_even_if_it_saves_less(seeded: Seeded, book: TariffBook) -> None:
    with seeded.database.reading() as session:
        (account, *_) = accounts(session, "profile = 'children'")
        for name, key in (("电饭煲", "rice_cooker"), ("灯", "lamp"), ("取暖器", "heating"), ("热水器", "water_heater")):
            measures = advice_for(session, account, book, seeded.today, [name]).measures
            assert measures[0].key == key
            assert len({measure.key for measure in measures}) == len(measures)


def test_formula_of_an_appliance_is_priced_at_the_own_tier(seeded: Seeded, book: TariffBook) -> None:
    with seeded.database.reading() as session:
        for account in accounts(session, "profile = 'flat' and plan_code = 'hubei.residential.tier'"):
            advice = advice_for(session, account, book, seeded.today, ["灯"])
            expected = advice.worth.yuan(Decimal("0.05") * 4 * 365)  # 50 W less, 4 hours a day
            assert advice.measures[0].yuan_low == expected


def test_standby_is_never_more_than_half_of_the_base_load(seeded: Seeded, book: TariffBook) -> None:
    with seeded.database.reading() as session:
        for account in accounts(session, "profile in ('empty', 'flat')"):
            advice = advice_for(session, account, book, seeded.today, ["机顶盒"])
            standby = advice.measures[0]
            most = min(Decimal("131.4"), advice.base_daily * 365 / 2)
            assert (standby.key, standby.kwh_low) == ("standby", most)


def test_step_is_advised_only_where_it_can_be_kept(seeded: Seeded, book: TariffBook) -> None:
    with seeded.database.reading() as session:
        for account in accounts(session, "plan_code = 'hubei.residential.tier'"):
            advice = advice_for(session, account, book, seeded.today)
            over, near = advice.worth.over_step, advice.use.total * Decimal("0.12")
            steps = [measure for measure in advice.measures if measure.key == "step"]
            assert all(step.kwh_low == over and over <= near for step in steps)


def test_watering_in_summer_is_no_air_conditioning(seeded: Seeded, book: TariffBook) -> None:
    with seeded.database.reading() as session:
        for account in accounts(session, "user_class = 'agricultural'"):
            keys = {measure.key for measure in advice_for(session, account, book, seeded.today).measures}
            assert not keys & {"cooling", "heating", "fridge"}


def test_charging_by_night_is_worth_the_difference_of_the_registers(seeded: Seeded, book: TariffBook) -> None:
    with seeded.database.reading() as session:
        for account in accounts(session, "user_class = 'charging'"):
            ends = "('2025-10-31', '2026-10-31')"
            sharp, peak = session.execute(
                text(
                    "select max(sharp) - min(sharp), max(peak) - min(peak) from daily_readings r"
                    f" join meters m on m.id = r.meter_id where m.account_id = :account and day in {ends}"
                ),
                {"account": account.id},
            ).one()
            gain = Decimal(str(sharp)) * Decimal("0.35") + Decimal(str(peak)) * Decimal("0.25")
            (measure,) = advice_for(session, account, book, seeded.today).measures
            assert (measure.key, measure.yuan_low) == ("shift_charging", gain.quantize(CENT))


def test_shop_by_the_hour_saves_a_tenth_of_its_dear_kwh_times_the_gap(seeded: Seeded, book: TariffBook) -> None:
    base = Decimal("0.384470") + Decimal("0.013643")  # only this part floats with the hour
    with seeded.database.reading() as session:
        (account, *_) = accounts(session, "plan_code = 'hubei.commercial.single.lv.tou'")
        gain = Decimal(0)
        bills = session.scalars(
            select(Bill).where(Bill.account_id == account.id, Bill.month.between(FIRST, LAST))
        ).all()
        assert len(bills) == 12
        for bill in bills:
            strong = bill.month.month in (1, 7, 8, 12)
            sharp, valley = (Decimal("2.0"), Decimal("0.45")) if strong else (Decimal("1.8"), Decimal("0.48"))
            gain += base * (bill.sharp_kwh * (sharp - valley) + bill.peak_kwh * (Decimal("1.49") - valley))
        worth = Worth.of(book, account, year_use(session, account=account, today=seeded.today), today=seeded.today)
        assert worth.shift_yuan(Decimal("0.1")) == (gain / 10).quantize(CENT)
        checks = check_business(session, account=account, book=book, facts=FACTS.business, today=seeded.today)
        assert checks.shift is not None
        assert checks.shift.saving == (gain / 10).quantize(CENT)
        assert (checks.load, checks.basic) == (None, None)


def test_two_months_are_too_few_for_advice(fill: Fill, book: TariffBook) -> None:
    today = date(2026, 11, 22)
    database = fill(today, customers=25, months=2)
    with database.reading() as session:
        account = session.scalars(select(Account).where(Account.profile == "flat")).first()
        assert account is not None
        with pytest.raises(TooLittleUse):
            advice_for(session, account, book, today)


def test_somebody_unknown_gets_three_measures_at_the_first_price(book: TariffBook) -> None:
    measures = general_measures(book, HOME, today=date(2026, 11, 22))
    assert [(one.key, one.yuan_low) for one in measures] == [
        ("fridge", Decimal("122.20")), ("standby_general", Decimal("73.32")), ("lamp", Decimal("40.73")),
    ]  # fmt: skip
    television = general_measures(book, HOME, today=date(2026, 11, 22), appliances=["电视"])
    assert [one.key for one in television] == ["television", "fridge", "standby_general"]


def test_nobody_is_told_to_switch_off_what_keeps_them_alive() -> None:
    assert is_essential(HOME, ["电视", "呼吸机"])
    assert not is_essential(HOME, ["电视", "说不清的电器"])


# -- businesses


def two_part(session: Session) -> list[Account]:
    return accounts(session, "user_class = 'industrial'")


def test_power_factor_of_a_factory_is_that_of_its_bills(seeded: Seeded, book: TariffBook) -> None:
    with seeded.database.reading() as session:
        for account in two_part(session):
            check = check_business(
                session, account=account, book=book, facts=FACTS.business, today=seeded.today
            ).power_factor  # fmt: skip
            assert check is not None
            kwh, kvarh = session.execute(
                text(
                    "select sum(kwh), sum(kvarh) from bills where account_id = :account"
                    " and month between :first and :last"
                ),
                {"account": account.id, "first": str(FIRST), "last": str(LAST)},
            ).one()
            factor = float(kwh) / (float(kwh) ** 2 + float(kvarh) ** 2) ** 0.5
            assert abs(float(check.factor) - factor) <= 0.0051
            rows = session.execute(
                text(
                    "select l.quantity, l.amount from bill_lines l join bills b on b.id = l.bill_id where code ="
                    " 'power_factor' and b.account_id = :account and month between :first and :last"
                ),
                {"account": account.id, "first": str(FIRST), "last": str(LAST)},
            ).all()
            paid = sum((Decimal(str(amount)).quantize(CENT) for _, amount in rows), Decimal(0))
            best = sum((Decimal(str(base)) * Decimal("-0.0075") for base, _ in rows), Decimal(0))
            assert (len(rows), check.paid) == (12, paid)
            assert abs(check.at_target - best) < Decimal("0.07")
            assert check.saving == check.paid - check.at_target


def test_capacitors_are_reckoned_by_the_tangents_for_the_worst_month(seeded: Seeded, book: TariffBook) -> None:
    with seeded.database.reading() as session:
        for account in two_part(session):
            check = check_business(
                session, account=account, book=book, facts=FACTS.business, today=seeded.today
            ).power_factor  # fmt: skip
            assert check is not None
            bill = session.scalars(select(Bill).where(Bill.account_id == account.id, Bill.month == check.worst)).one()
            assert bill.kvarh is not None
            cosine = round(float(bill.kwh) / (float(bill.kwh) ** 2 + float(bill.kvarh) ** 2) ** 0.5 + 1e-9, 2)
            tangents = (1 / cosine**2 - 1) ** 0.5 - (1 / 0.95**2 - 1) ** 0.5
            assert abs(float(check.kvar) - max(0.0, float(check.kw) * tangents)) < 0.06
            assert check.measured is (bill.demand_kw is not None)


def test_basic_charge_by_demand_is_held_against_that_by_capacity(seeded: Seeded, book: TariffBook) -> None:
    seen = set()
    with seeded.database.reading() as session:
        for account in two_part(session):
            check = check_business(session, account=account, book=book, facts=FACTS.business, today=seeded.today).basic
            assert check is not None
            assert account.capacity_kva is not None
            paid = session.scalar(
                text(
                    "select sum(l.amount) from bill_lines l join bills b on b.id = l.bill_id where code = 'basic'"
                    " and b.account_id = :account and month between :first and :last"
                ),
                {"account": account.id, "first": str(FIRST), "last": str(LAST)},
            )
            assert check.paid == Decimal(str(paid)).quantize(CENT)
            by_capacity = (account.capacity_kva * Decimal("26.3") * 12).quantize(CENT)
            seen.add(check.by_demand)
            if check.by_demand:
                assert (check.other, check.saving) == (by_capacity, check.paid - by_capacity)
            else:
                assert (check.paid, check.other, check.saving) == (by_capacity, None, None)
                # 26.3 / 42 of the capacity: domain facts 1.6
                assert check.break_even_kw == (account.capacity_kva * Decimal("0.62619")).quantize(Decimal(1))
    assert seen


@pytest.mark.parametrize(("factor", "verdict"), [("4", "low"), ("1.25", "fair"), ("1.1", "high")])
def test_transformer_is_too_empty_below_30_and_too_full_above_80_percent(
    seeded: Seeded, book: TariffBook, factor: str, verdict: str
) -> None:
    with seeded.database.reading() as session:
        measured = [
            account for account in two_part(session)
            if session.scalar(text("select max(demand_kw) from bills where account_id = :id"), {"id": account.id})
        ]  # fmt: skip
        assert measured
        account = measured[0]
        demand = session.scalar(
            text("select max(demand_kw) from bills where account_id = :id and month between :first and :last"),
            {"id": account.id, "first": str(FIRST), "last": str(LAST)},
        )
        # Only in this session, which writes nothing back.
        account.capacity_kva = (Decimal(str(demand)) * Decimal(factor)).quantize(CENT)
        with session.no_autoflush:
            load = check_business(
                session, account=account, book=book, facts=FACTS.business, today=seeded.today
            ).load  # fmt: skip
        assert load is not None
        assert (load.kw, load.verdict, load.measured) == (Decimal(str(demand)).quantize(CENT), verdict, True)
        session.rollback()


# -- the assumptions


def test_every_assumption_says_where_it_comes_from() -> None:
    home = HOME
    sourced = [
        home.seasons, home.setback, home.setback_degrees, home.standby_watts, home.standby_share, home.base_days,
        home.step_share, home.shift_share, *home.formulas.values(), FACTS.business.power_factor_target,
        FACTS.business.load_low, FACTS.business.storage_efficiency, FACTS.solar.kwp_per_m2, FACTS.solar.feed_in,
    ]  # fmt: skip
    assert all(len(one.source) > 2 and one.status in ("secondary", "unverified") for one in sourced)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("solar.yaml", '"0.02"]', '"0.05"]'), ("home.yaml", 'low: "0.05"', 'low: "0.5"'),
        ("home.yaml", "general: [standby, lamp, fridge]", "general: [standby, kettle]"),
        ("business.yaml", "value:", "worth:"),
    ],
)  # fmt: skip
def test_assumptions_that_cannot_be_are_refused(tmp_path: Path, file: str, old: str, new: str) -> None:
    source = Path(__file__).parents[2] / "data" / "energy"
    for one in source.glob("*.yaml"):
        text_of = one.read_text(encoding="utf-8")
        assert one.name != file or old in text_of
        (tmp_path / one.name).write_text(text_of.replace(old, new) if one.name == file else text_of, encoding="utf-8")
    with pytest.raises(EnergyDataError, match=file):
        EnergyFacts.load(tmp_path)


def test_other_assumptions_give_other_advice(seeded: Seeded, book: TariffBook) -> None:
    with seeded.database.reading() as session:
        (account, *_) = accounts(session, "profile = 'children'")
        milder = HOME.model_copy(update={"setback_degrees": HOME.setback_degrees.model_copy(update={"value": 1})})
        one, two = (
            advise(
                session, account=account, book=book, facts=facts, today=seeded.today, appliances=["空调"]
            ).measures[0]
            for facts in (milder, HOME)
        )  # fmt: skip
        assert one.kwh_low < two.kwh_low
        assert one.mean < two.mean
