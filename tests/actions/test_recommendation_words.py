"""The words of recommendations: the yuan, no group, no pressure, and where they lead."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
import recommendation_kit as kit
import yaml
from actions_desk import ROOT, Desk, load_templates
from recommendation_kit import RULES, figured

from actions.recommendation_words import OfferWords
from core.energy_data import energy_facts
from core.recommend.tables import RECOMMENDATIONS

home, talk, nobody_held_out, nothing_remembered = kit.home, kit.talk, kit.nobody_held_out, kit.nothing_remembered


@pytest.mark.parametrize("kind", RECOMMENDATIONS)
def test_every_kind_says_its_yuan_and_never_a_group_pressure_or_a_question(writing: Desk, kind: str) -> None:
    words = OfferWords(writing.services, energy_facts().home)
    bad = (*RULES.campaigns.segment_words, *RULES.campaigns.pressure_words)
    for figures_first in (False, True):
        text = words.text(figured(kind), figures_first=figures_first, today=date(2026, 11, 22))
        assert ("73.32到80.00元" if kind == "saving_measure" else "4321.09元") in text
        assert "{" not in text
        assert "None" not in text
        assert not [word for word in bad if word in text]
        assert not text.rstrip().endswith(("？", "?"))
    how = writing.services.phrases.say(f"recommendation.{kind}.how")
    assert not [word for word in bad if word in how]


def test_each_kind_leads_somewhere_that_exists(writing: Desk) -> None:
    domain = {
        next(iter(one)) if isinstance(one, dict) else one
        for file in (ROOT / "bot" / "domain").glob("*.yml")
        for one in yaml.safe_load(file.read_text(encoding="utf-8")).get("intents") or ()
    }
    for kind, rule in RULES.kinds.items():
        assert not rule.start or rule.start in writing.services.businesses, kind
        assert set(rule.leads) <= domain
        for lead in rule.leads:
            assert f"recommendation.lead.{lead}" in writing.services.phrases
    assert domain >= RULES.quiet_intents | RULES.quiet_orders


def test_the_answers_that_may_be_followed_are_answers_of_the_domain(writing: Desk) -> None:
    templates = load_templates()
    for action, after in RULES.after.items():
        assert writing.action(action).name() == action
        assert any(response in templates for response in after.responses)


@pytest.mark.parametrize(
    ("now", "method", "said", "figures", "note"),
    [
        ("actual", "capacity", "要是按变压器容量（800千伏安）算", "按实际最大需量算是120.00元", "高于约501千瓦"),
        ("capacity", "actual", "要是按实际最大需量算", "按变压器容量算是120.00元", "低于约501千瓦"),
        ("capacity", "contract", "要是按合同需量（定477千瓦）算", "按变压器容量算是120.00元", "最高是500千瓦"),
        ("contract", "contract", "要是按合同需量（定477千瓦）算", "按现在的合同需量算是120.00元", "超过合同需量的5%"),
    ],
)
def test_the_basic_charge_is_told_by_either_method(
    writing: Desk, now: str, method: str, said: str, figures: str, note: str
) -> None:
    words = OfferWords(writing.services, energy_facts().home)
    basis = {**kit.FIGURES, "method_now": now, "method": method}
    offer = replace(figured("demand_capacity"), basis=basis)
    plain, first = (words.text(offer, figures_first=one, today=date(2026, 11, 22)) for one in (False, True))
    assert said in plain
    assert figures in first
    assert note in plain
    assert note in first
