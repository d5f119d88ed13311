"""Binding an account in the chat, letting one go, and the one-time codes of the forms."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from actions_desk import KEY, NOW, Desk, Said
from structlog.testing import capture_logs

from actions import codes
from actions.binding import ActionBindAccount, ActionUnbindAccount
from actions.codes import Checked
from actions.question import Question
from core.code_sender import DevelopmentSender, shown_codes
from core.errors import AccountNotYours
from core.identity import Grant, Identity, issue_identity, read_grant, turn_of

MISSING = "4299999999"
BIND, UNBIND, INFORM = "action_bind_account", "action_unbind_account", "action_inform"


class Talk:
    """One conversation: slots go from turn to turn, and each message has its own time."""

    def __init__(
        self, desk: Desk, *accounts: str, customer_no: str | None = None, assurance: int = 0, name: str = "c1"
    ) -> None:
        self.desk, self.accounts, self.customer_no, self.assurance = desk, accounts, customer_no, assurance
        self.name, self.now, self.slots = name, NOW, {"form": None}
        self.grants: list[Grant] = []

    def say(self, action: str, text: str = "", *, wait: float = 1.0, **entities: str) -> Said:
        self.now += timedelta(seconds=wait)
        return self.again(action, text, self.slots, **entities)

    def again(self, action: str, text: str, slots: dict[str, Any], **entities: str) -> Said:
        """Run the turn, or run it again from the slots as they were."""
        who = Identity(self.name, self.customer_no, self.accounts, self.assurance, "web")
        said = self.desk.ask(
            action, text=text, entities=[{"entity": name, "value": value} for name, value in entities.items()],
            slots=slots, identity=issue_identity(KEY, who, now=NOW), sender=f"{self.name}.1", now=self.now,
        )  # fmt: skip
        self.slots = {**slots, **said.slots}
        turn = turn_of(self.name, self.now)
        self.grants = [
            read_grant(KEY, command["token"], now=NOW, conversation_id=self.name, turn=turn)
            for command in said.reply.commands
            if command["type"] == "grant"
        ]
        return said

    def give(self, **entities: str) -> Said:
        """Press a button that gives a value."""
        return self.say(INFORM, f"/inform{entities}", **entities)

    @property
    def digits(self) -> str:
        """Return the newest code of this conversation, as the telephone's owner reads it."""
        with self.desk.services.bridge.reading() as session:
            found = shown_codes(
                session, conversation_id=self.name, keyring=self.desk.services.keyring, now=self.now
            )  # fmt: skip
        return found[0].digits

    @property
    def wrong(self) -> str:
        return f"{(int(self.digits) + 1) % 1_000_000:06d}"


@pytest.fixture
def coded(writing: Desk) -> Iterator[Desk]:
    """A desk that sends codes as in development."""
    services = writing.services
    return replace(writing, services=replace(services, codes=DevelopmentSender(services.keyring)))


@pytest.fixture(scope="session")
def mine(desk: Desk) -> str:
    return desk.account("user_class = 'residential'")


@pytest.fixture(scope="session")
def two(desk: Desk) -> tuple[str, str]:
    """Two accounts of different customers, and so of different telephones."""
    rows = desk.sql("select min(account_no) from accounts where closed_on is null group by customer_id limit 2")
    return rows[0][0], rows[1][0]


def test_somebody_unknown_binds_an_account_by_the_code(coded: Desk, mine: str) -> None:
    talk = Talk(coded)
    asked = talk.say(BIND, "我要绑定户号")
    assert asked.response == "utter_binding_ask"
    sent = talk.say(INFORM, mine, account_no=mine)
    assert "如果这个户号存在" in sent.text
    done = talk.say(INFORM, talk.digits)
    assert done.response == "utter_binding_done"
    assert mine not in done.text
    assert mine[-4:] in done.text
    assert talk.grants == [Grant("c1", turn_of("c1", talk.now), (mine,), (), (mine,))]
    assert (talk.slots["form"], talk.slots["account_asked"]) == (None, mine)


def test_a_number_in_the_first_sentence_is_not_asked_for_again(coded: Desk, mine: str) -> None:
    said = Talk(coded).say(BIND, f"帮我绑定{mine}", account_no=mine)
    assert "验证码" in said.text


def test_a_number_that_the_model_missed_is_read_from_the_text(coded: Desk, mine: str) -> None:
    talk = Talk(coded)
    talk.say(BIND, "绑户号")
    assert "验证码" in talk.say(INFORM, f"{mine[:4]} {mine[4:]}").text


@pytest.mark.parametrize(
    ("text", "word"), [("13800002842", "手机号"), ("42012345", "8位"), ("4201234567890123", "16位")]
)
def test_a_number_of_another_length_is_explained(coded: Desk, text: str, word: str) -> None:
    talk = Talk(coded)
    talk.say(BIND, "绑户号")
    assert word in talk.say(INFORM, text).text
    assert talk.slots["form"]["asking"] == "account_no"


def test_the_whole_talk_is_the_same_for_an_account_that_does_not_exist(coded: Desk, mine: str) -> None:
    assert coded.sql("select 1 from accounts where account_no = ?", MISSING) == []
    talks = []
    for name, number in (("real", mine), ("none", MISSING)):
        talk, said = Talk(coded, name=name), []
        said.append(talk.say(BIND, "绑定", account_no=number))
        wrong = talk.wrong if number == mine else "123456"
        for text in (wrong, "收不到啊", wrong, wrong, wrong):
            said.append(talk.say(INFORM, text))
        said += [talk.give(choice="_resend") for _ in range(4)]
        said.append(talk.say(BIND, "绑定", account_no=number))
        talks.append([(one.response, one.text, one.buttons, one.reply.commands) for one in said])
    assert talks[0] == talks[1]
    assert "24小时" in talks[0][-1][1]


def test_nobody_reads_a_code_for_an_account_that_does_not_exist(coded: Desk) -> None:
    talk = Talk(coded)
    talk.say(BIND, "绑定", account_no=MISSING)
    with pytest.raises(IndexError):
        _ = talk.digits


def test_wrong_codes_are_counted_and_a_new_one_can_be_had(coded: Desk, mine: str) -> None:
    talk = Talk(coded)
    talk.say(BIND, "绑定", account_no=mine)
    texts = [talk.say(INFORM, talk.wrong).text for _ in range(3)]
    assert ["2次" in texts[0], "1次" in texts[1], "作废" in texts[2]] == [True, True, True]
    assert "作废" in talk.say(INFORM, talk.digits).text
    talk.give(choice="_resend")
    assert talk.say(INFORM, talk.digits).response == "utter_binding_done"


def test_an_old_code_is_refused_with_the_way_to_a_new_one(coded: Desk, mine: str) -> None:
    talk = Talk(coded)
    talk.say(BIND, "绑定", account_no=mine)
    digits = talk.digits
    said = talk.say(INFORM, digits, wait=601)
    assert "重新发送" in said.text
    assert "重新发送" in [title for title, _ in said.buttons]


def test_a_turn_that_is_run_again_sends_no_second_code_and_binds_again(coded: Desk, mine: str) -> None:
    talk = Talk(coded)
    talk.say(BIND, "绑定", account_no=mine)
    first = talk.digits
    talk.again(BIND, "绑定", {"form": None}, account_no=mine)
    assert talk.digits == first
    before = dict(talk.slots)
    done = talk.say(INFORM, first)
    granted = talk.grants
    again = talk.again(INFORM, first, before)
    assert (again.text, talk.grants) == (done.text, granted)
    talk.slots = before
    talk.say(INFORM, first)
    assert talk.grants == []


def test_another_number_in_the_middle_starts_with_that_one(coded: Desk, two: tuple[str, str]) -> None:
    talk = Talk(coded)
    talk.say(BIND, "绑定", account_no=two[0])
    old = talk.digits
    talk.say(INFORM, two[1], account_no=two[1])
    assert talk.slots["form"]["account_no"] == two[1]
    if old != talk.digits:
        assert talk.say(INFORM, old).response == "utter_binding"
    assert talk.say(INFORM, talk.digits).response == "utter_binding_done"
    assert talk.grants[0].add == (two[1],)


def test_what_is_bound_already_is_not_bound_again(coded: Desk, mine: str) -> None:
    talk = Talk(coded, mine, customer_no="C1", assurance=1)
    assert talk.say(BIND, "绑定", account_no=mine).response == "utter_binding_already"
    assert talk.slots["form"] is None


def test_a_code_assures_only_the_accounts_of_its_own_telephone(coded: Desk, two: tuple[str, str]) -> None:
    own, other = two
    talk = Talk(coded, own, customer_no="C1", assurance=1)
    talk.say(BIND, "绑定", account_no=other)
    talk.say(INFORM, talk.digits)
    assert (talk.grants[0].add, talk.grants[0].assured) == ((other,), (other,))


def test_after_another_question_the_talk_goes_on_where_it_was(coded: Desk, mine: str) -> None:
    talk = Talk(coded)
    talk.say(BIND, "绑户号")
    assert talk.say(INFORM, "/inform").response == "utter_binding_ask"
    talk.say(INFORM, mine, account_no=mine)
    before = talk.slots["form"]
    assert "6位数字" in talk.say(INFORM, "/inform").text
    assert talk.slots["form"] == before


@pytest.mark.parametrize(
    "text", ["345678", "验证码345678", "一二三四五六", "3456", "【电小服】验证码345678，10分钟内有效，请勿告诉他人。"]
)
def test_the_open_question_claims_what_looks_like_a_code(coded: Desk, mine: str, text: str) -> None:
    talk = Talk(coded)
    talk.say(BIND, "绑定", account_no=mine)
    assert re.fullmatch(talk.slots["form"]["pattern"], text)


@pytest.mark.parametrize("text", ["上个月电费多少", "转人工", "我家停电了", "5月电费多少"])
def test_the_open_question_leaves_other_questions_alone(coded: Desk, mine: str, text: str) -> None:
    talk = Talk(coded)
    talk.say(BIND, "绑定", account_no=mine)
    assert not re.fullmatch(talk.slots["form"]["pattern"], text)
    assert talk.slots["form"]["free"] is False


def test_without_a_gateway_binding_is_declined_in_clear_words_and_the_operator_hears_of_it(
    writing: Desk, mine: str
) -> None:
    talk = Talk(writing)
    with capture_logs() as logs:
        said = talk.say(BIND, "绑定", account_no=mine)
    assert "发不了验证码" in said.text
    assert "/request_human" in [payload for _, payload in said.buttons]
    assert talk.slots["form"] is None
    assert [entry["event"] for entry in logs] == ["no_way_to_send_codes"]


def test_no_code_and_no_number_is_written_to_the_log(coded: Desk, mine: str) -> None:
    talk = Talk(coded)
    with capture_logs() as logs:
        talk.say(BIND, "绑定", account_no=mine)
        talk.say(INFORM, talk.wrong)
        talk.say(INFORM, talk.digits)
    assert not any(secret in str(logs) for secret in (talk.digits, mine))


def test_a_form_that_was_interrupted_is_laid_aside_and_offered_again(coded: Desk, mine: str) -> None:
    business = next(iter(coded.services.businesses))
    form = {"kind": "business", "business": business.key, "id": "f1", "asking": "phone"}
    talk = Talk(coded)
    talk.slots = {"form": form}
    talk.say(BIND, "先帮我绑个户号", account_no=mine)
    assert talk.slots["paused"] == form
    done = talk.say(INFORM, talk.digits)
    assert done.buttons[0] == (f"接着办{business.title}", '/inform{"resume": "f1"}')


# -- letting go


def test_the_only_account_is_let_go_after_a_yes(coded: Desk, mine: str) -> None:
    talk = Talk(coded, mine, customer_no="C1", assurance=1)
    asked = talk.say(UNBIND, "解绑户号")
    assert asked.response == "utter_unbind_confirm"
    assert mine not in asked.text
    assert talk.grants == []
    done = talk.say("action_affirm", "好的")
    assert done.response == "utter_unbind_done"
    assert talk.grants == [Grant("c1", turn_of("c1", talk.now), (), (mine,), ())]
    assert talk.slots["form"] is None


@pytest.mark.parametrize("text", ["确认", "解绑吧", "是的，解绑", "好"])
def test_a_yes_in_other_words_counts(coded: Desk, mine: str, text: str) -> None:
    talk = Talk(coded, mine, customer_no="C1", assurance=1)
    talk.say(UNBIND, "解绑户号")
    assert talk.say(INFORM, text).response == "utter_unbind_done"


@pytest.mark.parametrize("text", ["不解绑了", "先别解绑", "算了", "不是这个"])
def test_a_no_in_other_words_lets_nothing_go(coded: Desk, mine: str, text: str) -> None:
    talk = Talk(coded, mine, customer_no="C1", assurance=1)
    talk.say(UNBIND, "解绑户号")
    said = talk.say(INFORM, text)
    assert (said.response, said.reply.commands) == ("utter_unbind_kept", ())


def test_a_press_of_either_button_counts(coded: Desk, mine: str) -> None:
    for value, response in (("no", "utter_unbind_kept"), ("yes", "utter_unbind_done")):
        talk = Talk(coded, mine, customer_no="C1", assurance=1)
        talk.say(UNBIND, "解绑户号")
        assert talk.give(choice=value).response == response
    talk = Talk(coded, mine, customer_no="C1", assurance=1)
    talk.say(UNBIND, "解绑户号")
    assert talk.say("action_deny", "不").response == "utter_unbind_kept"


def test_of_several_accounts_one_is_chosen_first(coded: Desk, two: tuple[str, str]) -> None:
    talk = Talk(coded, *two, customer_no="C1", assurance=1)
    asked = talk.say(UNBIND, "我要解绑")
    assert asked.response == "utter_unbind_which"
    assert len(asked.buttons) == 2
    assert talk.give(account_no=two[1]).response == "utter_unbind_confirm"
    talk.give(choice="yes")
    assert talk.grants[0].remove == (two[1],)


def test_the_second_one_is_understood_in_words(coded: Desk, two: tuple[str, str]) -> None:
    talk = Talk(coded, *two, customer_no="C1", assurance=1)
    talk.say(UNBIND, "我要解绑")
    talk.say(INFORM, "第二个")
    assert talk.slots["form"]["account_no"] == two[1]


def test_a_strangers_account_cannot_be_let_go(coded: Desk, two: tuple[str, str]) -> None:
    talk = Talk(coded, two[0], customer_no="C1", assurance=1)
    replies = [talk.say(UNBIND, "解绑", account_no=number).reply for number in (two[1], MISSING)]
    assert replies[0] == replies[1]
    assert replies[0].response == "utter_account_not_yours"


def test_an_account_in_the_slots_alone_is_never_let_go(coded: Desk, two: tuple[str, str]) -> None:
    talk = Talk(coded, two[0], customer_no="C1", assurance=1)
    talk.slots = {"form": {"kind": "binding", "action": UNBIND, "asking": "confirm", "account_no": two[1]}}
    said = talk.say("action_affirm", "是")
    assert said.reply.commands == ()
    assert two[1][-4:] not in said.text


def test_without_accounts_there_is_nothing_to_let_go(coded: Desk) -> None:
    assert Talk(coded).say(UNBIND, "解绑").response == "utter_unbind_none"


# -- codes of the forms


def question(desk: Desk, *accounts: str, text: str = "", now: datetime = NOW, name: str = "c1") -> Question:
    who = Identity(name, "C1", accounts, 1 if accounts else 0, "web")
    return Question(who, "inform", text, (), {}, now, ())


def test_a_forms_code_goes_to_the_telephone_on_file_and_raises_the_assurance(coded: Desk, mine: str) -> None:
    talk = Talk(coded)
    sent = codes.request_code(coded.services, question(coded, mine), mine)
    assert sent.sent
    assert re.fullmatch(r"1\d{2}\*{4}\d{4}", sent.phone)
    assert sent.phone in sent.reason
    now = NOW + timedelta(seconds=5)
    checked = codes.check_code(coded.services, question(coded, mine, text=talk.digits, now=now), mine)
    assert checked.verified
    grant = read_grant(
        KEY, checked.commands[0]["token"], now=NOW, conversation_id="c1", turn=turn_of("c1", now)
    )  # fmt: skip
    assert (grant.add, grant.remove, grant.assured) == ((), (), (mine,))


def test_a_forms_code_is_not_sent_for_a_strangers_account(coded: Desk, two: tuple[str, str]) -> None:
    with pytest.raises(AccountNotYours):
        codes.request_code(coded.services, question(coded, two[0]), two[1])


def test_a_code_for_one_account_is_none_for_another(coded: Desk, two: tuple[str, str]) -> None:
    codes.request_code(coded.services, question(coded, *two), two[0])
    digits, now = Talk(coded).digits, NOW + timedelta(seconds=5)
    checked = codes.check_code(coded.services, question(coded, *two, text=digits, now=now), two[1])
    assert (checked.result, checked.over) == ("expired", True)


def test_a_telephone_without_an_account_can_be_confirmed_and_grants_nothing(coded: Desk) -> None:
    sent = codes.request_code(coded.services, question(coded), phone="13912345678")
    assert (sent.sent, sent.phone) == (True, "139****5678")
    texts = {Talk(coded).wrong: "wrong", "再等等": "not_a_code", Talk(coded).digits: "verified"}
    for n, (text, result) in enumerate(texts.items(), 1):
        now = NOW + timedelta(seconds=n)
        checked: Checked = codes.check_code(
            coded.services, question(coded, text=text, now=now), phone="13912345678"
        )  # fmt: skip
        assert (checked.result, checked.commands) == (result, ())


def test_a_number_alone_of_somebody_unknown_is_bound(coded: Desk, mine: str) -> None:
    talk = Talk(coded)
    assert talk.say(INFORM, mine, account_no=mine).slots["form"]["asking"] == "code"


@pytest.mark.parametrize("text", ["不绑了", "算了，不绑户号了", "还是莫绑了吧"])
def test_binding_is_dropped_in_words(coded: Desk, mine: str, text: str) -> None:
    talk = Talk(coded)
    asked = talk.say(BIND, f"绑定{mine}", account_no=mine)
    assert re.fullmatch(asked.slots["form"]["pattern"], text)
    assert "没有绑" in talk.say(INFORM, text).text
    assert talk.slots["form"] is None


@pytest.mark.parametrize("text", ["户号写在哪里啊，房东没给我", "我冇得户号", "这号在哪儿看"])
def test_who_does_not_know_where_the_number_stands_is_told(coded: Desk, text: str) -> None:
    talk = Talk(coded)
    asked = talk.say(BIND, "绑户号")
    assert any(re.search(word, text) for word in asked.slots["form"]["words"])
    said = talk.say(INFORM, text)
    assert ("电费账单" in said.text, talk.slots["form"]["asking"]) == (True, "account_no")


def test_a_code_that_did_not_come_is_explained_and_sent_again_when_asked_for(coded: Desk, mine: str) -> None:
    talk = Talk(coded)
    asked = talk.say(BIND, f"绑定{mine}", account_no=mine)
    first = talk.digits
    for text in ("等了五分钟一条短信都冇得", "木有收到，重新发一遍中不中"):
        assert any(re.search(word, text) for word in asked.slots["form"]["words"])
    assert re.fullmatch(asked.slots["form"]["pattern"], "木有收到，重新发一遍中不中")
    assert "被手机拦截" in talk.say(INFORM, "等了五分钟一条短信都冇得").text
    assert talk.digits == first
    assert "如果这个户号存在" in talk.say(INFORM, "木有收到，重新发一遍中不中", wait=90).text
    assert talk.digits != first


def test_giving_up_says_what_was_not_done(coded: Desk) -> None:
    bind, unbind = coded.action(BIND), coded.action(UNBIND)
    assert isinstance(bind, ActionBindAccount)
    assert isinstance(unbind, ActionUnbindAccount)
    assert "没有绑" in bind.dropped().values["text"]
    assert unbind.dropped().response == "utter_unbind_kept"
