"""The input channel `bridge`: how the bridge, and nobody else, talks to Rasa.

Unlike the stock REST channel it checks a bearer token, refuses an empty sender or text, never takes typed text for a
command, and answers 502 when a turn yields nothing (Rasa swallows what an action throws, and `200 []` looks like
success). It also keeps the cost of a turn flat: Rasa reloads and featurises all events since the last session start,
so before the next turn a long session gives way to a new one, which begins with the slots as they are.
"""

import asyncio
import hmac
import re
from typing import Any, Awaitable, Callable, Dict, List, Optional, Text

import aiohttp
from rasa.core.channels.channel import CollectingOutputChannel, InputChannel, UserMessage
from rasa.shared.core.constants import ACTION_LISTEN_NAME, ACTION_SESSION_START_NAME, SESSION_START_METADATA_SLOT
from rasa.shared.core.events import ActionExecuted, SessionStarted, SlotSet, UserUttered
from sanic import Blueprint, response
from sanic.request import Request
from sanic.response import HTTPResponse

from bot import certain, forgetting, forms, handback, knowing, wishes
from bot.model_watch import ModelWatch

Handler = Callable[[UserMessage], Awaitable[Any]]

# Above so many events since the session start the next turn begins a new session (docs/decisions/0004).
MAX_EVENTS = 60
CONVERSATION = re.compile(r"[0-9A-Za-z-]{8,64}")
FAILURES = "failures"  # the slot with how many messages in a row were not understood
HEALTH_TIMEOUT = aiohttp.ClientTimeout(total=1.5)


class TurnOutput(CollectingOutputChannel):
    """Collects a turn's messages; a text with a blank line stays one message."""

    @classmethod
    def name(cls) -> Text:
        """Return the channel's name, which responses of the domain may name."""
        return "bridge"

    async def send_text_message(self, recipient_id: Text, text: Text, **kwargs: Any) -> None:
        """Keep a text."""
        await self._persist_message(self._message(recipient_id, text=text))


class BridgeInput(InputChannel):
    """`POST turn` puts one message to the model, `GET health` tells what can answer, `POST forget` erases dialogues."""

    def __init__(self, token: Text) -> None:
        """Create the channel; `token` is what the bridge must show."""
        self.expected = f"Bearer {token}".encode()

    @classmethod
    def name(cls) -> Text:
        """Return the name in the URL: /webhooks/bridge/…."""
        return "bridge"

    @classmethod
    def from_credentials(cls, credentials: Optional[Dict[Text, Any]]) -> "BridgeInput":
        """Read the token from credentials.yml, which takes it from DIANFU_RASA_TOKEN."""
        token = (credentials or {}).get("token")
        if not token:
            cls.raise_missing_credentials_exception()
        return cls(str(token))

    def blueprint(self, on_new_message: Handler) -> Blueprint:
        """Return the three routes, and what takes new models while the server runs."""
        routes = Blueprint("bridge_webhook")
        _take_new_models(routes)

        @routes.get("/health")
        async def health(request: Request) -> HTTPResponse:
            if not self._allowed(request):
                return _refuse(401, "a valid bearer token is required")
            return response.json(await _health(request.app.ctx.agent))

        @routes.post("/turn")
        async def turn(request: Request) -> HTTPResponse:
            if not self._allowed(request):
                return _refuse(401, "a valid bearer token is required")
            body = request.json if isinstance(request.json, dict) else {}
            sender, text = str(body.get("sender") or "").strip(), str(body.get("text") or "").strip()
            if not sender or not text:
                return _refuse(422, "sender and text must not be empty")
            if body.get("kind") != "payload" and text.startswith("/"):
                return _refuse(422, "typed text must not look like a command")
            typed = body.get("kind") != "payload"
            return await _turn(request.app.ctx.agent, on_new_message, sender, text, body.get("metadata") or {}, typed)

        @routes.post("/forget")
        async def forget(request: Request) -> HTTPResponse:
            if not self._allowed(request):
                return _refuse(401, "a valid bearer token is required")
            named = request.json.get("conversations") if isinstance(request.json, dict) else None
            if not isinstance(named, list) or not all(CONVERSATION.fullmatch(str(one)) for one in named):
                return _refuse(422, "conversations must be a list of ids")
            return response.json({"forgotten": forgetting.forget(request.app.ctx.agent.tracker_store, named)})

        return routes

    def _allowed(self, request: Request) -> bool:
        return hmac.compare_digest(request.headers.get("authorization", "").encode(), self.expected)


def _take_new_models(routes: Blueprint) -> None:
    watch = ModelWatch()  # made here: Rasa loads the model later, so no change is missed

    @routes.listener("after_server_start")
    async def begin(app: Any, *_: Any) -> None:
        app.add_task(watch.run(app.ctx.agent))


async def _turn(
    agent: Any, handle: Handler, sender: Text, text: Text, metadata: Dict[Text, Any], typed: bool
) -> HTTPResponse:
    output = TurnOutput()
    async with agent.lock_store.lock(sender):
        tracker = await _tracker(agent, sender)
        await _cut_long_session(agent, tracker)
    message = UserMessage(text, output, sender, input_channel="bridge", metadata=metadata)
    understood = await _say(agent, handle, message, typed, tracker)
    if not output.messages:
        return _refuse(502, "the turn brought no answer")
    after = await _tracker(agent, sender)
    understood = understood or _understood(after)
    if understood is not None:
        understood["form"] = forms.shown(forms.state(after))
    return response.json({"messages": output.messages, "understood": understood})


async def _say(
    agent: Any, handle: Handler, message: UserMessage, typed: bool, tracker: Any
) -> Optional[Dict[Text, Any]]:
    """Put the message to the dialogue, wish by wish; return what was understood of it, None for what was not typed."""
    output = message.output_channel
    form, waiting = forms.state(tracker), wishes.waiting(tracker)
    understood, parts = None, []
    if forms.carried_out(tracker, message.metadata):
        await handle(forms.confirmed(message))  # this very turn has been here before: its answer is told again
        return None
    if typed and agent.is_ready():
        parsed = wishes.meant(certain.sober(await agent.processor.parse_message(message)))
        parsed = handback.asked_after(parsed, message.metadata, form)
        parts = wishes.split(knowing.preferred(forms.claimed(parsed, form)))
        await handle(wishes.told(message, parts[0]))
        understood = {"intent": parsed["intent"]["name"], "confidence": parsed["intent"]["confidence"]}
        said = parts[0]["intent"]["name"]
    else:
        await handle(message)
        said = message.text.lstrip("/").partition("{")[0]
    told = await _tracker(agent, message.sender_id)
    after = forms.state(told)
    if understood is not None and _failed(told):
        understood["failed"] = True
    rest = parts[1] if len(parts) > 1 else waiting if said == wishes.ANSWER else None
    asks = after is None and wishes.is_question(output.messages)
    opened = after is not None and after != form
    if rest and not asks:
        await _also(agent, handle, message, rest, after if opened else None)
    if waiting or (rest and asks):
        await wishes.keep(agent, message.sender_id, rest if asks else None)
    more = rest is not None and not opened
    if forms.asks_again(said, form, after, more) and not _handed_over(output.messages):
        await handle(forms.again(message))
    return understood


async def _also(
    agent: Any, handle: Handler, message: UserMessage, wish: Dict[Text, Any], opened: Optional[Dict[Text, Any]]
) -> None:
    """Answer the second wish; the question of a form that the first has `opened` comes behind it, where it is read."""
    output = message.output_channel
    first, held = wishes.parted(output.messages, opened)
    output.messages = []
    await handle(wishes.told(message, wish))
    unchanged = forms.state(await _tracker(agent, message.sender_id)) == opened
    output.messages = [*first, *output.messages, *held] if unchanged else [*first, *held, *output.messages]


def _failed(tracker: Any) -> bool:
    """Tell whether the answer to the latest message was that it was not understood (actions/faq.py counts these)."""
    for event in reversed(tracker.events if tracker is not None else ()):
        if isinstance(event, SlotSet) and event.key == FAILURES:
            return bool(event.value)
        if isinstance(event, UserUttered):
            return False
    return False


def _handed_over(messages: List[Dict[Text, Any]]) -> bool:
    """Tell whether a person takes over after this turn."""
    return any((message.get("custom") or {}).get("type") == "handoff" for message in messages)


async def _cut_long_session(agent: Any, tracker: Any) -> None:
    """Begin a new session if the present one is long.

    Not by Rasa's own `action_session_start`: it carries over every event that ever set a slot, so that each session
    would be longer than the one before.
    """
    if tracker is None or len(tracker.events) <= MAX_EVENTS:
        return
    values = {name: value for name, value in tracker.current_slot_values().items() if value is not None}
    slots = [SlotSet(name, value) for name, value in values.items() if name != SESSION_START_METADATA_SLOT]
    start = [ActionExecuted(ACTION_SESSION_START_NAME), SessionStarted(), *slots, ActionExecuted(ACTION_LISTEN_NAME)]
    tracker.update_with_events(start, agent.domain)
    await agent.tracker_store.save(tracker)


async def _tracker(agent: Any, sender: Text) -> Any:
    return await agent.tracker_store.retrieve(sender)


def _understood(tracker: Any) -> Optional[Dict[Text, Any]]:
    """Return the intent of the message that was just handled, for the log and the desk."""
    message = getattr(tracker, "latest_message", None)
    if message is None or not message.intent:
        return None
    return {"intent": message.intent.get("name"), "confidence": message.intent.get("confidence")}


async def _health(agent: Any) -> Dict[Text, bool]:
    return {"model": bool(agent and agent.is_ready()), "actions": await _actions_answer(agent)}


async def _actions_answer(agent: Any) -> bool:
    endpoint = getattr(agent, "action_endpoint", None)
    if endpoint is None or not endpoint.url:
        return False
    url = endpoint.url.rsplit("/", 1)[0] + "/health"
    try:
        async with aiohttp.ClientSession(timeout=HEALTH_TIMEOUT) as session, session.get(url) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, asyncio.TimeoutError):
        return False


def _refuse(status: int, why: Text) -> HTTPResponse:
    return response.json({"error": why}, status=status)
