"""What the channel needs to tell an answer to a form from another question (bot/forms.py says how it is read)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from core.business import Business, Field
from core.form import ACCOUNT, CHANGE, CODE, CONFIRM, OFFER, WHICH, FormState, wanted
from core.form_fields import ENTITY_OF
from core.one_time_code import CODE_MESSAGE

if TYPE_CHECKING:
    from actions.services import Services

KIND = "business"  # of the slot `form`: a form of the business table
FREE = frozenset(
    {"text", "name", "address", "date", "choice", "yes_no", "number", "capacity", "energy", "amount"}
)  # what no entity is sure to be found in


def claims(services: Services, business: Business, state: FormState) -> dict[str, Any]:
    """Return the part of the slot `form` that the channel reads."""
    raw = services.phrases.raw
    hints: dict[str, Any] = {
        "intents": [business.intent], "free": False, "entities": [], "words": [], "pattern": "",
        "drop": raw("form.drop_words"),
        # Facts of energy services are asked for with the intent that also starts their forms.
        "asks": raw("form.question_words") if business.intent.startswith("ask_") else "",
    }  # fmt: skip
    if state.asking in (OFFER, CONFIRM, CHANGE):
        labels = "|".join(re.escape(one.label) for one in wanted(business, state))
        corrections = raw("form.correction_words").replace("LABELS", labels or raw("form.account"))
        return hints | {
            "entities": sorted({ENTITY_OF[one.kind] for one in business.fields if one.kind in ENTITY_OF}),
            "words": [raw("form.claim_words")],
            "pattern": f"(?:{raw('form.yes_words')})|(?:{corrections})",
            "quiet": state.asking == OFFER,  # an offer that was not taken up is not made again
            "doubtful": state.asking == CONFIRM,
        }
    if state.asking == WHICH:
        rows = [services.businesses.get(key) for key in state.more["rows"]]
        words = [word for row in rows for word in (*row.words, re.escape(row.title))]
        return hints | {"free": True, "words": words, "pattern": raw("form.place_words")}
    if state.asking == CODE:
        return hints | {"pattern": CODE_MESSAGE}
    if state.asking == ACCOUNT:
        return hints | {"entities": ["account_no", "tariff_class"], "free": True}
    asked = _of_field(services, business.field(str(state.asking)))
    if state.account_no:
        asked["words"].append(raw("form.account_fix_words"))  # 点错了，不是这个户号
    return hints | asked


def _of_field(services: Services, one: Field) -> dict[str, Any]:
    raw = services.phrases.raw
    patterns = [raw("form.skip_words")] if one.optional else []
    if one.kind == "text" and one.default == "message":
        patterns.append(raw("form.story_words"))  # what happened is told here, whatever else it sounds like
    if one.kind in ("number", "energy", "amount"):
        patterns.append(raw("form.number_words"))
    if one.pattern:
        patterns.append(f".{{0,12}}(?:{one.pattern}).{{0,6}}")
    return {
        "free": one.kind in FREE,
        "prose": one.kind == "text",
        "entities": [ENTITY_OF[one.kind]] if one.kind in ENTITY_OF else [],
        "words": [
            *(word for option in one.options for word in (*option.words, re.escape(option.label))),
            *([raw("form.day_words")] if one.kind == "date" else []),
        ],
        "pattern": "|".join(f"(?:{pattern})" for pattern in patterns),
    }
