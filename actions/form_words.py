"""How forms speak (data/phrases/form.yaml), and what the channel needs to recognise an answer."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from actions import choice as account_choice
from actions.base import CONFIRMING, Reply
from core import form
from core.account import Account, AccountView, address_context, phone_context
from core.business import Business, Field
from core.form import FormState
from core.form_fields import CHINESE_DIGITS
from core.masking import mask_account_no, mask_address, mask_phone
from core.text import folded

if TYPE_CHECKING:
    from actions.codes import Checked, Sent
    from actions.form_filing import Filed
    from actions.services import Services

Slots = Mapping[str, Any]
FREE = frozenset({"text", "name", "address", "date", "choice", "yes_no"})


def choice(entity: str, value: str) -> str:
    """Return the payload of a button that gives one value."""
    return "/inform" + json.dumps({entity: value}, ensure_ascii=False)


class FormWords:
    """The sentences of forms."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._say, self._raw = services.phrases.say, services.phrases.raw

    # -- before the form

    def only_asks(self, text: str) -> bool:
        """Tell whether a message asks about a business (材料, 多久, 收费) rather than for it."""
        return bool(re.search(self._raw("form.asking_words"), text)) and not re.search(
            self._raw("form.doing_words"), text
        )

    def means_yes(self, text: str) -> bool:
        """Tell whether a message confirms in words that are no plain yes (提交吧)."""
        return bool(re.fullmatch(self._raw("form.yes_words"), text.strip()))

    def keeps(self, text: str) -> bool:
        """Tell whether nothing is to be changed after all (不改了，就这样)."""
        return bool(re.match(self._raw("form.keep_words"), text.strip()))

    def facts_asked(self, business: Business, text: str) -> str:
        """Return fee, time and papers of a business that a message in the middle of its form asks for (要钱不)."""
        return self._facts(business) if self.only_asks(text) else ""

    def means_on_file(self, text: str) -> bool:
        """Tell whether a message means what the company has on file."""
        return bool(re.search(self._raw("form.on_file_words"), text))

    def names_account(self, text: str) -> bool:
        """Tell whether a message is about which account is meant."""
        return bool(re.search(self._raw("form.account_words"), text))

    def other_account(self, account_no: str) -> str:
        """Return that another account was taken."""
        item = self._say("form.item", label=self._say("form.account"), value=mask_account_no(account_no))
        return self._say("form.corrected", items=item)

    def photo_taken(self) -> str:
        """Return that a photo came, which no question had asked for."""
        return self._say("form.photo_taken")

    def say_added(self) -> str:
        """Return that what was said was written down too."""
        return self._say("form.added")

    def skips(self, text: str) -> bool:
        """Tell whether a message passes over an optional field (跳过, 不晓得)."""
        return bool(re.fullmatch(self._raw("form.skip_words"), text.strip()))

    def intro(self, business: Business) -> str:
        """Return the line before the first question."""
        if business.intro is not None:
            return business.intro
        return self._say("form.intro", title=business.title, facts=self._facts(business))

    def back(self, business: Business) -> str:
        """Return the line with which a form comes back after an interruption."""
        return self._say("form.back", title=business.title)

    def info(self, business: Business, slots: Slots) -> Reply:
        """Return what one needs to know of a business."""
        buttons = [(self._say("form.begin"), choice("start", business.key))]
        lines = [business.about, *self._info_lines(business), *business.notes, self._origin(business)]
        return Reply(
            "utter_form_info", {"title": business.title, "facts": "\n".join(filter(None, lines))}, buttons, slots=slots
        )

    def unavailable(self, business: Business) -> Reply:
        """Return why a business is not on offer here."""
        said = {"text": str(business.unavailable), "origin": self._origin(business)}
        return Reply("utter_form_unavailable", said)

    def which(self, rows: Sequence[Business], slots: Slots) -> Reply:
        """Ask which of several businesses is meant."""
        return Reply("utter_form_which", buttons=[(row.title, choice("start", row.key)) for row in rows], slots=slots)

    def meant(self, rows: Sequence[Business], text: str) -> list[Business]:
        """Return the rows that an answer to `which` points at."""
        place = re.fullmatch(self._raw("form.place_words"), text.strip())
        if place and int(place[1].translate(CHINESE_DIGITS)) <= len(rows):
            return [rows[int(place[1].translate(CHINESE_DIGITS)) - 1]]
        said = folded(text)
        named = [row for row in rows if said in folded(row.title) or folded(row.title) in said]
        return named or [row for row in rows if row.fits(text)]

    def which_account(self, views: Sequence[AccountView], lead: str, slots: Slots) -> Reply:
        """Ask which account the form is about."""
        buttons = account_choice.buttons(views, self._services.labels)
        return Reply(
            "utter_form_ask", {"lead": _line(lead), "question": self._say("form.which_account")}, buttons, slots=slots
        )

    # -- the questions

    def field(self, one: Field, lead: str, slots: Slots, *, ways_out: bool) -> Reply:
        """Ask one field."""
        buttons = [(option.label, choice("choice", option.value)) for option in one.options]
        if one.kind == "yes_no":
            buttons = [(self._say("form.yes"), choice("choice", "yes")), (self._say("form.no"), choice("choice", "no"))]
        if one.optional:
            buttons.append((self._say("form.skip"), choice("choice", "_skip")))
        if ways_out:
            buttons += [(self._say("form.give_up"), "/cancel"), (self._say("form.person"), "/request_human")]
        question = one.ask + (self._say("form.hint", hint=one.hint) if one.hint else "")
        return Reply("utter_form_ask", {"lead": _line(lead), "question": question}, buttons, slots=slots)

    def wrong(self, one: Field | None, reason: str) -> str:
        """Return what was wrong with an answer."""
        key = f"form.wrong.{reason}"
        kind = f"form.wrong.{one.kind}" if one else key
        if reason in ("no_match", "empty") and kind in self._services.phrases:
            return self._say(kind)
        most = {"min": _plain(one.min), "max": _plain(one.max), "unit": one.unit or ""} if one else {}
        return self._say(key if key in self._services.phrases else "form.wrong.no_match", **most)

    def corrected(self, business: Business, state: FormState, changed: Sequence[str]) -> str:
        """Return that something was corrected."""
        fields = [business.field(name) for name in changed]
        said = [(one.label, self.value(one, state.values[one.name])) for one in fields]
        items = [self._say("form.item", label=label, value=value) for label, value in said]
        return self._say("form.corrected", items=self._say("form.list").join(items))

    def confirm(self, business: Business, state: FormState, lead: str, slots: Slots) -> Reply:
        """Show everything and ask for a yes."""
        said = {"lead": _line(lead), "title": business.title, "summary": "\n".join(self.summary(business, state))}
        buttons = [
            (self._say("form.submit"), "/affirm"),
            (self._say("form.amend"), "/deny"),
            (self._say("form.give_up"), "/cancel"),
        ]
        return Reply("utter_form_confirm", said, buttons, slots=slots, commands=[CONFIRMING])

    def change(self, business: Business, state: FormState, slots: Slots) -> Reply:
        """Ask what is to be changed."""
        buttons = [(one.label, choice("change", one.name)) for one in form.wanted(business, state)]
        return Reply("utter_form_change", buttons=[*buttons, (self._say("form.give_up"), "/cancel")], slots=slots)

    def summary(self, business: Business, state: FormState) -> list[str]:
        """Return the lines of the summary."""
        lines = []
        if state.account_no:
            number = mask_account_no(state.account_no)
            lines.append(self._say("form.item", label=self._say("form.account"), value=number))
        for one in form.wanted(business, state):
            value = self.value(one, state.values.get(one.name, ""))
            if value:
                lines.append(self._say("form.item", label=one.label, value=value))
        return lines

    def value(self, one: Field, value: str) -> str:
        """Return an answer as the customer reads it; a skipped one is empty."""
        if one.kind == "choice":
            return next((option.label for option in one.options if option.value == value), value)
        if one.kind == "yes_no" and value:
            return self._say(f"form.{value}")
        if one.kind == "date" and value:
            return self._day(value)
        if one.kind == "photo" and value:
            return self._say("form.photo")
        return value + one.unit if value and one.unit and one.kind in ("number", "energy", "amount") else value

    def _day(self, value: str) -> str:
        try:
            return self._services.labels.of_day(date.fromisoformat(value), self._services.clock().date())
        except ValueError:
            return value  # in the customer's own words

    # -- the end

    def code(self, sent: Sent, slots: Slots) -> Reply:
        """Ask for the one-time code, or say why none was sent."""
        if not sent.sent:
            person = (self._say("form.person"), "/request_human")
            return Reply("utter_form_code_refused", {"reason": sent.reason}, [person], slots=slots)
        buttons = [(self._say("form.resend"), choice("choice", "_resend")), (self._say("form.give_up"), "/cancel")]
        return Reply("utter_form_code", {"sent": sent.reason}, buttons, slots=slots, commands=[CONFIRMING])

    def code_again(self, lead: str, slots: Slots) -> Reply:
        """Remind of the code."""
        said = {"lead": _line(lead), "question": self._say("form.code_again")}
        resend = (self._say("form.resend"), choice("choice", "_resend"))
        ways_out = [(self._say("form.person"), "/request_human"), (self._say("form.give_up"), "/cancel")]
        return Reply("utter_form_ask", said, [resend, *ways_out], slots=slots)

    def code_wrong(self, checked: Checked, slots: Slots) -> Reply:
        """Say that the code was not right."""
        again = "" if checked.over else self._say("form.code_again")
        said = {"lead": _line(checked.reason) if again else "", "question": again or checked.reason}
        buttons = [
            (self._say("form.resend"), choice("choice", "_resend")),
            (self._say("form.person"), "/request_human"),
        ]
        return Reply("utter_form_ask", said, buttons, slots=slots)

    def done(self, business: Business, filed: Filed, slots: Slots) -> Reply:
        """Tell the number of the order and what comes next."""
        end = "form.done_lead" if business.lead else "form.done_limit" if filed.limit else "form.done_plain"
        more = (business.done or self._raw(end)).format(order_no=filed.order_no, limit=filed.limit)
        said = {"title": business.title, "order_no": filed.order_no, "more": more}
        buttons = [(self._say("form.progress"), "/query_work_order")]
        return Reply("utter_form_joined" if filed.joined else "utter_form_done", said, buttons, slots=slots)

    # -- facts

    def on_file(self, account: Account, *, masked: bool) -> dict[str, str]:
        """Return the telephone number and address that the company has."""
        keyring, customer = self._services.keyring, account.customer
        phone = keyring.decrypt(customer.phone_cipher, phone_context(customer.customer_no))
        address = keyring.decrypt(account.address_cipher, address_context(account.account_no))
        if not masked:
            return {"customer": phone, "account": address}
        return {"customer": self._say("form.phone_on_file", phone=mask_phone(phone)), "account": mask_address(address)}

    def _facts(self, business: Business) -> str:
        return "".join(self._info_lines(business, short=True))

    def _info_lines(self, business: Business, *, short: bool = False) -> list[str]:
        lines = []
        if business.papers:
            lines.append(self._say("form.papers", papers=self._say("form.list").join(business.papers)))
        if business.steps and not short:
            lines.append(self._say("form.steps", steps=self._say("form.arrow").join(business.steps)))
        if business.limit:
            lines.append(self._say("form.limit", limit=business.limit.text))
        if business.fee:
            lines.append(self._say("form.fee", fee=business.fee))
        return lines

    def _origin(self, business: Business) -> str:
        year, month = business.date.split("-")
        doubt = self._say("form.unverified") if business.status == "unverified" else ""
        return self._say("form.origin", source=business.source, year=year, month=int(month)) + doubt


def _line(text: str) -> str:
    return text + "\n" if text else ""


def _plain(value: float | None) -> str:
    return "" if value is None else format(Decimal(str(value)).normalize(), "f")
