"""The life of a case: every step, what it refuses, and the race for one conversation."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from dialects import DIALECTS, NewUrl
from handoff_kit import BOOK, DeskRoom, new_room
from sqlalchemy import select

from core.conversation import Draft, find_conversation
from core.desk_feed import events_after
from core.desk_note import notes_of
from core.handoff import life
from core.handoff.ending import WrapUp
from core.handoff.tables import Handoff
from core.mode import WrongMode


@pytest.fixture(scope="module", params=DIALECTS)
def _shared(
    request: pytest.FixtureRequest, new_url: NewUrl, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DeskRoom]:
    room = new_room(new_url(request.param, tmp_path_factory.mktemp("desk")))
    yield room
    room.database.dispose()


@pytest.fixture
def room(_shared: DeskRoom) -> DeskRoom:
    """A desk over the module's database, at ten in the morning; each test has its own agents and conversations."""
    return DeskRoom(_shared.database)


@pytest.fixture(params=DIALECTS)
def own_room(request: pytest.FixtureRequest, new_url: NewUrl, tmp_path: Path) -> Iterator[DeskRoom]:
    """A desk over a database of the test's own."""
    one = new_room(new_url(request.param, tmp_path))
    yield one
    one.database.dispose()


def test_a_case_goes_from_the_wish_to_the_hand_back(room: DeskRoom) -> None:
    agent = room.agent()
    case = room.request(intents=["query_bill"])
    assert (room.mode(case), case.skill, case.priority) == ("queued", "billing", 5)
    room.offer(case, agent)
    assert (room.mode(case), room.case(case).offered_to) == ("offered", agent)
    room.claim(case, agent)
    assert (room.mode(case), room.case(case).agent_id, room.case(case).offered_to) == ("human", agent, None)
    room.replies(case, agent)
    room.writes(case)
    room.call(life.finish, case.conversation_id, agent_id=agent)
    assert room.mode(case) == "wrap_up"
    written = WrapUp("bill", "solved", note={"done": ["退了10元"], "open": [], "promised": []}, intents=["query_bill"])
    room.call(life.wrap_up, case.conversation_id, written, agent_id=agent)
    assert (room.mode(case), room.case(case).outcome, room.case(case).due_at) == ("bot", "solved", None)
    assert room.kinds(case) == [
        "requested", "offered", "claimed", "agent_replied", "customer_wrote", "wrap_up", "handed_back",
    ]  # fmt: skip
    assert room.at(case).note == {
        "done": ["退了10元"], "open": [], "promised": [], "intents": ["query_bill"], "keep_form": False,
        "at": room.now.isoformat(), "agent": agent, "agent_name": "小王", "case": case.id,
    }  # fmt: skip


def test_every_waiting_state_has_a_deadline(room: DeskRoom) -> None:
    agent = room.agent()
    case = room.request()
    deadlines = [room.case(case).due_at]
    room.offer(case, agent)
    deadlines.append(room.case(case).due_at)
    room.claim(case, agent)
    deadlines.append(room.case(case).due_at)
    room.call(life.finish, case.conversation_id, agent_id=agent)
    deadlines.append(room.case(case).due_at)
    seconds = [(one - room.now).total_seconds() for one in deadlines if one]
    assert seconds == [300, 20, 100, 300]


def test_the_customer_is_told_who_speaks_and_how_to_end_it(room: DeskRoom) -> None:
    agent = room.agent("小李")
    case = room.taken(agent)
    [line] = [row for row in room.log(case) if row.author == "system"]
    assert "人工坐席 小李（工号 " in line.text
    assert [button["title"] for button in line.buttons] == ["结束人工服务"]
    said = room.replies(case, agent, "您好，我看一下")
    assert (said.author, said.agent_id, said.agent_name.split()[0]) == ("agent", agent, "小李")


def test_of_fifty_agents_who_claim_one_case_one_has_it(own_room: DeskRoom) -> None:
    agents = [own_room.agent(f"坐席{n}") for n in range(50)]
    case = own_room.request()
    won: list[int] = []
    lost: list[int | None] = []
    errors: list[Exception] = []
    barrier = threading.Barrier(50)

    def race(agent_id: int) -> None:
        barrier.wait()
        try:
            own_room.claim(case, agent_id)
            won.append(agent_id)
        except life.AlreadyTaken as error:
            lost.append(error.agent_id)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=race, args=(agent_id,)) for agent_id in agents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert (len(won), lost) == (1, [won[0]] * 49)
    assert own_room.case(case).agent_id == won[0]
    assert own_room.kinds(case).count("claimed") == 1
    assert len(own_room.lines(case)) == 1


def test_who_claims_twice_changes_nothing(room: DeskRoom) -> None:
    agent = room.agent()
    case = room.taken(agent)
    room.claim(case, agent)
    assert room.kinds(case) == ["requested", "claimed"]


def test_a_case_that_is_over_or_another_agents_cannot_be_claimed(room: DeskRoom) -> None:
    first, second = room.agent(), room.agent()
    case = room.taken(first)
    with pytest.raises(life.AlreadyTaken) as taken:
        room.claim(case, second)
    assert taken.value.agent_id == first
    left = room.request()
    room.call(life.leave_queue, left.conversation_id)
    with pytest.raises(life.AlreadyTaken):
        room.claim(left, second)


def test_capacity_holds_for_claims_but_not_for_what_was_offered(room: DeskRoom) -> None:
    agent = room.agent(capacity=1)
    room.taken(agent)
    with pytest.raises(life.NoCapacity):
        room.claim(room.request(), agent)
    offered = room.offer(room.request(), agent)
    assert room.claim(offered, agent).agent_id == agent


def test_a_declined_offer_returns_to_the_queue_and_is_remembered(room: DeskRoom) -> None:
    agent = room.agent()
    case = room.offer(room.request(), agent)
    room.call(life.decline, case.id, agent)
    assert (room.mode(case), room.case(case).tried) == ("queued", [agent])
    with pytest.raises(life.NotOffered):
        room.call(life.decline, case.id, agent)


def test_an_offer_lapses_when_its_time_is_over_and_not_before(room: DeskRoom) -> None:
    agent = room.agent()
    case = room.offer(room.request(), agent)
    room.passes(seconds=19)
    assert room.call(life.lapse_offer, case.id) is None
    room.passes(seconds=1)
    room.call(life.lapse_offer, case.id)
    assert (room.mode(case), room.kinds(case)[-1]) == ("queued", "offer_expired")


def test_a_vanished_agents_case_is_at_the_head_again_and_the_customer_is_told(room: DeskRoom) -> None:
    agent, colleague = room.agent(), room.agent()
    earlier = room.request()
    room.passes(minutes=5)
    case = room.taken(agent)
    room.alive(colleague)
    assert room.call(life.vanish, case.id)
    assert not room.call(life.vanish, case.id)
    assert room.case(case).rank_at < room.case(earlier).rank_at
    assert (room.mode(case), room.lines(case)[-1]) == ("queued", BOOK.words.vanished)


def test_a_danger_stays_before_a_case_that_was_given_back(room: DeskRoom) -> None:
    agent = room.agent()
    back = room.taken(agent)
    room.call(life.vanish, back.id)
    danger = room.request(reason="danger")
    assert room.case(danger).rank_at < room.case(back).rank_at


def test_the_same_words_sent_twice_are_in_the_log_once(room: DeskRoom) -> None:
    agent = room.agent()
    case = room.taken(agent)
    first, second = room.replies(case, agent, "好的", "one"), room.replies(case, agent, "好的", "one")
    assert first.seq == second.seq
    assert room.kinds(case).count("agent_replied") == 1


def test_nobody_but_the_holder_can_say_anything(room: DeskRoom) -> None:
    holder, other = room.agent(), room.agent()
    case = room.request()
    with pytest.raises(life.NotHolder):
        room.replies(case, holder)
    room.claim(case, holder)
    with pytest.raises(life.NotHolder):
        room.replies(case, other)
    room.call(life.finish, case.conversation_id, agent_id=holder)
    with pytest.raises(WrongMode):
        room.replies(case, holder)


def test_an_agent_who_lost_the_case_meanwhile_cannot_answer_it_any_more(room: DeskRoom) -> None:
    first, second = room.agent(), room.agent()
    case = room.taken(first)
    room.call(life.vanish, case.id)
    room.claim(case, second)
    with pytest.raises(life.NotHolder):
        room.replies(case, first)


def test_in_wrap_up_a_customer_gets_the_agent_again_unless_he_only_thanks(room: DeskRoom) -> None:
    agent = room.agent()
    case = room.taken(agent)
    room.replies(case, agent)
    room.call(life.finish, case.conversation_id, agent_id=agent)
    room.writes(case, "谢谢", closing=True)
    assert room.mode(case) == "wrap_up"
    room.writes(case, "等等，还有一个月的没退")
    assert (room.mode(case), room.case(case).agent_id) == ("human", agent)
    assert room.kinds(case)[-1] == "reopened"


def test_a_transfer_to_a_skill_puts_the_case_at_its_head_with_the_note(room: DeskRoom) -> None:
    agent = room.agent()
    case = room.taken(agent)
    room.call(life.transfer, case.conversation_id, agent_id=agent, note="要查表计", to_skill="repair")
    found = room.case(case)
    assert (room.mode(case), found.skill, found.agent_id, found.tried) == ("queued", "repair", None, [agent])
    [note] = room.read(lambda session: notes_of(session, case.conversation_id))
    assert (note.kind, note.text, note.agent_id) == ("transfer", "要查表计", agent)
    event = room.events(case)[-1]
    assert (event.kind, event.data["skill"]) == ("transferred", "repair")


def test_a_transfer_to_an_agent_is_offered_to_him_first(room: DeskRoom) -> None:
    agent, other = room.agent(), room.agent("小陈")
    case = room.taken(agent)
    room.call(life.transfer, case.conversation_id, agent_id=agent, note="您上次办的", to_agent=other)
    assert (room.mode(case), room.case(case).offered_to) == ("offered", other)
    assert "小陈" in room.lines(case)[-1]


@pytest.mark.parametrize("to", [{}, {"to_agent": 1, "to_skill": "repair"}, {"to_skill": "cooking"}])
def test_a_transfer_needs_one_real_aim(room: DeskRoom, to: dict[str, object]) -> None:
    agent = room.agent()
    case = room.taken(agent)
    with pytest.raises(life.BadTransfer):
        room.call(life.transfer, case.conversation_id, agent_id=agent, note="x", **to)
    with pytest.raises(life.BadTransfer):
        room.call(life.transfer, case.conversation_id, agent_id=agent, note="x", to_agent=agent)
    with pytest.raises(life.BadNote):
        room.call(life.transfer, case.conversation_id, agent_id=agent, note="  ", to_skill="repair")
    assert (room.mode(case), room.case(case).agent_id) == ("human", agent)


def test_a_supervisor_gives_a_case_to_somebody_else_at_once(room: DeskRoom) -> None:
    supervisor, agent, other = room.agent("班长"), room.agent(), room.agent("小周", capacity=1)
    case = room.taken(agent)
    room.call(life.reassign, case.conversation_id, agent_id=supervisor, to_agent=other, note="他手上太多")
    assert (room.mode(case), room.case(case).agent_id) == ("human", other)
    waiting = room.request()
    room.call(life.reassign, waiting.conversation_id, agent_id=supervisor, to_agent=other, note="加急")
    assert (room.mode(waiting), room.case(waiting).agent_id) == ("human", other)


@pytest.mark.parametrize("mode", ["bot", "queued", "offered", "human", "wrap_up"])
def test_a_supervisor_steps_in_from_every_mode(room: DeskRoom, mode: str) -> None:
    supervisor, agent = room.agent("班长"), room.agent()
    conversation_id = room.conversation()
    if mode != "bot":
        case = room.request(conversation_id)
        if mode == "offered":
            room.offer(case, agent)
        if mode in ("human", "wrap_up"):
            room.claim(case, agent)
        if mode == "wrap_up":
            room.call(life.finish, conversation_id, agent_id=agent)
    case = room.call(life.take_over, conversation_id, agent_id=supervisor)
    assert (room.mode(case), room.case(case).agent_id) == ("human", supervisor)
    room.call(life.take_over, conversation_id, agent_id=supervisor)
    assert room.kinds(case).count("taken_over") == 1


def test_help_is_a_note_and_a_whisper_is_for_the_holder_alone(room: DeskRoom) -> None:
    supervisor, agent = room.agent("班长"), room.agent()
    case = room.taken(agent)
    before = room.read(lambda session: max(event.seq for event in events_after(session, 0, limit=10_000)))
    room.write(lambda session: life.ask_help(
        session, case.conversation_id, agent_id=agent, text="能免违约金吗", now=room.now,
    ))  # fmt: skip
    room.write(lambda session: life.whisper(
        session, case.conversation_id, agent_id=supervisor, text="可以免一次", now=room.now,
    ))  # fmt: skip
    told = room.read(lambda session: events_after(session, before))
    assert [(event.kind, event.agent_id) for event in told] == [("help", None), ("whisper", agent)]
    notes = room.read(lambda session: notes_of(session, case.conversation_id))
    assert [(note.kind, note.to_agent) for note in notes] == [("help", None), ("whisper", agent)]
    assert len(room.log(case)) == 1  # nothing of it is in the customer's log


def test_a_pause_needs_a_reason_of_the_settings_and_ends_with_the_transfer(room: DeskRoom) -> None:
    agent = room.agent()
    case = room.taken(agent)
    room.replies(case, agent)
    with pytest.raises(ValueError, match="lunch"):
        room.call(life.pause, case.conversation_id, agent_id=agent, reason="lunch")
    for _ in range(2):
        room.call(life.pause, case.conversation_id, agent_id=agent, reason="waiting_field")
    room.call(life.transfer, case.conversation_id, agent_id=agent, note="现场已到", to_skill="repair")
    assert room.kinds(case)[3:] == ["paused", "resumed", "transferred"]


def test_no_clock_is_held_while_the_customer_waits_or_is_in_danger(room: DeskRoom) -> None:
    agent, other = room.agent(), room.agent()
    case, danger = room.taken(agent), room.taken(agent, reason="danger")

    def holds(one: Handoff, by: int) -> None:
        room.call(life.pause, one.conversation_id, agent_id=by, reason="waiting_field")

    with pytest.raises(life.CustomerWaits):
        holds(case, agent)  # the wish for a person has no answer yet
    room.replies(case, agent)
    room.writes(case, "那我今天能来电吗")
    with pytest.raises(life.CustomerWaits):
        holds(case, agent)
    room.replies(case, agent)
    room.writes(case, "谢谢", closing=True)
    room.call(life.reassign, case.conversation_id, agent_id=agent, to_agent=other, note="请接着办")
    holds(case, other)
    room.replies(danger, agent)
    with pytest.raises(life.InDanger):
        holds(danger, agent)
    assert (room.kinds(case).count("paused"), room.kinds(danger).count("paused")) == (1, 0)


def test_leaving_the_queue_ends_the_case(room: DeskRoom) -> None:
    case = room.request()
    room.call(life.leave_queue, case.conversation_id)
    assert (room.mode(case), room.kinds(case)[-1]) == ("bot", "left_queue")
    assert room.case(case).ended_at is not None


def test_a_message_that_was_left_is_taken_by_an_agent_later(room: DeskRoom) -> None:
    agent = room.agent()
    case = room.request()
    room.call(life.leave_message, case.conversation_id)
    found = room.case(case)
    assert (room.mode(case), found.left_message, found.due_at) == ("bot", True, room.now.replace(hour=12))
    assert [event.data["due_at"] for event in room.events(case) if event.kind == "promised"] == [
        room.now.replace(hour=12).isoformat()
    ]
    room.claim(case, agent)
    assert (room.mode(case), room.case(case).left_message) == ("human", False)


def test_who_asks_again_after_a_message_waits_with_a_new_case(room: DeskRoom) -> None:
    case = room.request()
    room.call(life.leave_message, case.conversation_id)
    again = room.request(case.conversation_id)
    assert (again.id != case.id, room.mode(again)) == (True, "queued")
    assert (room.case(case).ended_at, room.kinds(case)[-1]) == (room.now, "closed")


def test_asking_twice_is_one_case_and_a_danger_raises_it(room: DeskRoom) -> None:
    case = room.request()
    assert room.request(case.conversation_id).id == case.id
    raised = room.request(case.conversation_id, reason="danger")
    assert (raised.id, raised.priority, raised.skill, raised.reason) == (case.id, 0, "repair", "danger")
    assert room.kinds(case) == ["requested", "queued"]


def test_a_danger_told_to_an_agent_warns_him(room: DeskRoom) -> None:
    agent = room.agent()
    case = room.taken(agent)
    room.request(case.conversation_id, reason="danger")
    assert (room.mode(case), room.case(case).priority, room.kinds(case)[-1]) == ("human", 0, "warned")


def test_a_note_that_is_none_is_refused_and_nothing_ends(room: DeskRoom) -> None:
    agent = room.agent()
    case = room.taken(agent)
    bad = [
        WrapUp(outcome="fine"), WrapUp(note={"done": "退了"}), WrapUp(note={"promised": [{"text": ""}]}),
        WrapUp(note={"promised": [{"text": "回电", "due_at": "2026-11-24T10:00"}]}),
        WrapUp(corrected={"1": "query_bill"}),
        WrapUp(then="bin"),
    ]  # fmt: skip
    for written in bad:
        with pytest.raises(life.BadWrapUp):
            room.call(life.wrap_up, case.conversation_id, written, agent_id=agent)
    assert room.mode(case) == "human"


def test_corrected_intents_are_kept_by_message(room: DeskRoom) -> None:
    agent = room.agent()
    case = room.taken(agent)
    said = room.writes(case, "电表转太快")
    written = WrapUp(outcome="solved", corrected={str(said.seq): "apply_meter_check"}, then="close")
    room.call(life.wrap_up, case.conversation_id, written, agent_id=agent)
    assert (room.mode(case), room.case(case).corrected) == ("closed", {str(said.seq): "apply_meter_check"})


def test_a_hand_back_begins_a_fresh_dialogue_unless_the_form_goes_on(room: DeskRoom) -> None:
    agent = room.agent()
    for keep, dialogue in ((False, 2), (True, 1)):
        case = room.taken(agent)
        room.call(life.wrap_up, case.conversation_id, WrapUp(outcome="solved", keep_form=keep), agent_id=agent)
        assert room.at(case).dialogue == dialogue


def test_a_step_that_fails_leaves_nothing_behind(room: DeskRoom) -> None:
    case = room.request()

    def broken(session: object) -> None:
        life.leave_queue(session, case.conversation_id, book=BOOK, now=room.now)  # type: ignore[arg-type]
        raise RuntimeError("the process died")

    with pytest.raises(RuntimeError):
        room.write(broken)
    assert (room.mode(case), room.kinds(case)) == ("queued", ["requested"])


def test_replies_and_reads_go_on_while_two_agents_answer_their_own_customers(own_room: DeskRoom) -> None:
    agents = [own_room.agent(), own_room.agent()]
    cases = [own_room.taken(agent) for agent in agents]

    def talk(agent: int, case: Handoff) -> None:
        for number in range(20):
            own_room.replies(case, agent, f"第{number}句", f"k{number}")

    threads = [threading.Thread(target=talk, args=pair) for pair in zip(agents, cases, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for case in cases:
        assert [row.text for row in own_room.log(case)[1:]] == [f"第{number}句" for number in range(20)]
    feed = own_room.read(lambda session: [event.seq for event in events_after(session, 0)])
    assert feed == list(range(1, len(feed) + 1))


def test_there_is_never_more_than_one_open_case(room: DeskRoom) -> None:
    case = room.request()
    for _ in range(3):
        room.request(case.conversation_id)
    query = select(Handoff).where(Handoff.conversation_id == case.conversation_id, Handoff.ended_at.is_(None))
    assert len(room.read(lambda session: list(session.scalars(query)))) == 1


def test_a_closed_conversation_takes_no_request_but_a_danger(room: DeskRoom) -> None:
    agent = room.agent()
    case = room.taken(agent)
    room.call(life.wrap_up, case.conversation_id, WrapUp(outcome="solved", then="close"), agent_id=agent)
    with pytest.raises(WrongMode):
        room.request(case.conversation_id)
    assert room.mode(room.request(case.conversation_id, reason="danger")) == "queued"


def test_the_unique_key_of_an_agents_message_names_him(room: DeskRoom) -> None:
    agent = room.agent()
    case = room.taken(agent)
    message = room.replies(case, agent, "好", "abc")
    assert message.external_id == f"desk:{message.conversation_id}:{agent}:abc"
    with pytest.raises(life.CaseNotFound):
        room.write(lambda session: life.agent_said(
            session, room.conversation(), agent_id=agent, client_id="x", draft=Draft("agent", "a"), book=BOOK,
            now=room.now,
        ))  # fmt: skip
    assert room.read(lambda session: find_conversation(session, case.conversation_id)).mode == "human"


def test_who_looked_before_he_waited_for_the_lock_sees_what_happened_meanwhile(room: DeskRoom) -> None:
    if room.database.engine.dialect.name == "sqlite":
        pytest.skip("one writer at a time: nobody can look before another has finished")
    agent, boss = room.agent(), room.agent()
    case = room.taken(agent)
    with room.database.transaction() as session:
        looked = (find_conversation(session, case.conversation_id), life.open_case(session, case.conversation_id))
        room.writes(case, "人呢")
        room.call(life.take_over, case.conversation_id, agent_id=boss)
        with pytest.raises(life.NotHolder):
            life.agent_said(
                session, case.conversation_id, agent_id=agent, client_id="late", draft=Draft("agent", "您好"),
                book=BOOK, now=room.now,
            )  # fmt: skip
        assert looked[1] is not None
        assert (looked[0].next_seq, looked[1].agent_id) == (len(room.log(case)) + 1, boss)
