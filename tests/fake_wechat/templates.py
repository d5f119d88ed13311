"""Template and subscription messages: typed, short fields, deduplicated by `client_msg_id`, sent at a rate."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.fake_wechat.call import Call, Refused
from tests.fake_wechat.messages import limit
from tests.fake_wechat.state import User, Way, World

_DATE = r"(\d{4}年\d{1,2}月\d{1,2}日|\d{1,2}月\d{1,2}日|\d{4}[-/.]\d{1,2}[-/.]\d{1,2})"
_CLOCK = r"\d{1,2}:\d{2}(:\d{2})?"
_MOMENT = rf"({_DATE}( ?{_CLOCK})?|{_CLOCK})"
_LIMITS: dict[str, Callable[[str], bool]] = {
    "thing": lambda value: len(value) <= 20,
    "number": lambda value: len(value) <= 32 and bool(re.fullmatch(r"-?\d+(\.\d+)?", value)),
    "letter": lambda value: bool(re.fullmatch(r"[A-Za-z]{1,32}", value)),
    "symbol": lambda value: len(value) <= 5,
    "character_string": lambda value: bool(re.fullmatch(r"[\x20-\x7e]{1,32}", value)),
    "time": lambda value: bool(re.fullmatch(rf"{_MOMENT}( ?[~至-] ?{_MOMENT})?", value)),
    "date": lambda value: bool(re.fullmatch(rf"{_DATE}( ?{_CLOCK})?( ?[~至] ?{_DATE}( ?{_CLOCK})?)?", value)),
    "amount": lambda value: bool(re.fullmatch(r"[¥￥$]?-?[\d,]{1,10}(\.\d+)?元?", value)),
    "phone_number": lambda value: bool(re.fullmatch(r"[\d+\-*]{1,17}", value)),
    "car_number": lambda value: len(value) <= 8,
    "name": lambda value: len(value) <= (20 if value.isascii() else 10),
    "phrase": lambda value: bool(re.fullmatch(r"[\u4e00-\u9fff]{1,5}", value)),
    "const": lambda value: len(value) <= 20,
}
# Those that the fake's account has from the start, as an operator would have chosen them from Tencent's library.
DEMO: dict[str, tuple[str, dict[str, str]]] = {
    "bill_ready": ("电费账单通知", {"thing1": "账单月份", "character_string2": "用电户号", "amount3": "应缴电费",
                              "time4": "缴费截止"}),
    "balance_low": ("余额不足提醒", {"character_string1": "用电户号", "amount2": "当前余额", "thing3": "温馨提示"}),
    "planned_outage": ("计划停电通知", {"thing1": "停电区域", "thing2": "停电时间", "thing3": "来电时间",
                                  "thing4": "停电原因", "thing5": "通知类型"}),
    "outage": ("停电通知", {"thing1": "停电区域", "phrase2": "当前状态", "thing3": "预计来电"}),
    "order_progress": ("工单进度通知", {"character_string1": "工单编号", "thing2": "办理事项", "thing3": "当前进度"}),
    "promise_moved": ("服务时间变更通知", {"character_string1": "工单编号", "thing2": "办理事项", "thing3": "变更内容",
                                   "time4": "新的时间"}),
    "agent_replied": ("客服回复通知", {"thing1": "咨询内容", "thing2": "回复人员", "thing3": "温馨提示"}),
}  # fmt: skip
# What a field is called on the phone when the template does not say.
LABELS = {
    "thing": "事项", "number": "数量", "character_string": "编号", "time": "时间", "date": "日期", "amount": "金额",
    "phone_number": "电话", "name": "姓名", "phrase": "状态", "const": "类型", "letter": "代码", "symbol": "符号",
    "car_number": "车牌",
}  # fmt: skip


@dataclass
class Template:
    id: str
    title: str
    fields: list[str] | None = None  # None: whichever are sent
    labels: dict[str, str] = field(default_factory=dict)

    def label(self, name: str) -> str:
        return self.labels.get(name) or LABELS[re.sub(r"\d+$", "", name)]


@dataclass
class Templates:
    """The account's templates by id, and what has been sent under which `client_msg_id`."""

    known: dict[str, Template] = field(default_factory=dict)
    sent: dict[str, int] = field(default_factory=dict)
    next_id: int = 200_000_000

    def __post_init__(self) -> None:
        for kind, (title, labels) in DEMO.items():
            self.known[f"FAKE-{kind}"] = Template(f"FAKE-{kind}", title, labels=labels)

    def add(self, template_id: str, title: str, fields: list[str] | None = None) -> None:
        self.known[template_id] = Template(template_id, title, fields)


def send(world: World, call: Call) -> dict[str, Any]:
    """`message/template/send`."""
    message = call.json()
    user = _user(world, call, message.get("touser"))
    template = _template(world, message)
    data = _data(template, message.get("data"))
    limit(world.arrivals_template, world.settings.template_rate)
    if not user.following:
        raise Refused(43004, "require subscribe")
    key = message.get("client_msg_id")
    if key is not None and (not isinstance(key, str) or len(key) > 64):
        raise Refused(40035, "invalid parameter: client_msg_id")
    if key and key in world.templates.sent:
        world.counters["template.deduplicated"] += 1
        return {"errcode": 0, "errmsg": "ok", "msgid": world.templates.sent[key]}
    msgid = _next(world)
    if key:
        world.templates.sent[key] = msgid
    _show(world, user, "template", template, data, message)
    if world.settings.template_events and world.settings.push_url:
        told = {"Event": "TEMPLATESENDJOBFINISH", "MsgID": msgid, "Status": "success"}
        world.pusher.event(user.openid, told)
    return {"errcode": 0, "errmsg": "ok", "msgid": msgid}


def send_subscription(world: World, call: Call) -> dict[str, Any]:
    """`message/subscribe/bizsend`."""
    message = call.json()
    user = _user(world, call, message.get("touser"))
    template = _template(world, message)
    data = _data(template, message.get("data"))
    limit(world.arrivals_template, world.settings.template_rate)
    left = user.subscriptions.get(template.id, 0)
    if left == 0 or not user.following:
        raise Refused(43101, "user refuse to accept the msg")
    if left is not None:
        user.subscriptions[template.id] = left - 1
    _show(world, user, "subscription", template, data, message)
    told = {"TemplateId": template.id, "MsgID": str(_next(world)), "ErrorCode": "0", "ErrorStatus": "success"}
    _tell(world, user, "subscribe_msg_sent_event", [told])
    return {"errcode": 0, "errmsg": "ok"}


def agree(world: World, user: User, template_id: str, times: int | None, *, status: str = "accept") -> None:
    """The user answers the window that asks for a message, `times` times; None: for as long as they follow."""
    if times is None:
        user.subscriptions[template_id] = None
    for _ in range(times or 0):
        if status == "accept" and (before := user.subscriptions.get(template_id, 0)) is not None:
            user.subscriptions[template_id] = before + 1
        one = {"TemplateId": template_id, "SubscribeStatusString": status, "PopupScene": "1"}
        _tell(world, user, "subscribe_msg_popup_event", [one])


def decline(world: World, user: User, template_id: str) -> None:
    """The user declines all messages of a template in the list of service notices."""
    user.subscriptions.pop(template_id, None)
    _tell(world, user, "subscribe_msg_change_event", [
        {"TemplateId": template_id, "SubscribeStatusString": "reject"}
    ])  # fmt: skip


def _tell(world: World, user: User, event: str, rows: list[dict[str, str]]) -> None:
    """Push an event about subscription messages; XML puts its list into an element, JSON does not."""
    if not world.settings.push_url or not world.settings.template_events:
        return
    inner = {"List": rows}
    form = world.settings.manner(user.openid)[1]
    wrapped = inner if form == "json" else {"".join(part.title() for part in event.split("_")): inner}
    world.pusher.event(user.openid, {"Event": event, **wrapped})


def listed(world: World, call: Call) -> dict[str, Any]:
    """`template/get_all_private_template`."""
    return {
        "template_list": [
            {"template_id": one.id, "title": one.title, "primary_industry": "", "deputy_industry": "",
             "content": "\n".join(f"{name}:{{{{{name}.DATA}}}}" for name in one.fields or []), "example": ""}
            for one in world.templates.known.values()
        ]
    }  # fmt: skip


def _user(world: World, call: Call, openid: object) -> User:
    call.openid = openid if isinstance(openid, str) else None
    user = world.users.get(openid) if isinstance(openid, str) else None
    if user is None:
        raise Refused(40003, "invalid openid")
    return user


def _template(world: World, message: dict[str, Any]) -> Template:
    template = world.templates.known.get(str(message.get("template_id")))
    if template is None:
        raise Refused(40037, "invalid template_id")
    return template


def _data(template: Template, data: object) -> dict[str, Any]:
    if not isinstance(data, dict) or not data:
        raise Refused(47001, "data format error")
    for name in template.fields or []:
        if name not in data:
            raise Refused(47003, f"argument invalid! data.{name}.value is empty")
    for name, one in data.items():
        value = one.get("value") if isinstance(one, dict) else None
        good = _LIMITS.get(re.sub(r"\d+$", "", name))
        unknown = good is None or (template.fields is not None and name not in template.fields)
        if unknown or not isinstance(value, str) or not value or not (good and good(value)):
            raise Refused(47003, f"argument invalid! data.{name}.value invalid")
    return data


def _show(
    world: World, user: User, way: Way, template: Template, data: dict[str, Any], message: dict[str, Any]
) -> None:
    content = {
        "title": template.title, "template_id": template.id, "data": data,
        "rows": [[template.label(name), one["value"]] for name, one in data.items()],
        "url": message.get("url") or message.get("page") or "", "key": message.get("client_msg_id"),
    }  # fmt: skip
    world.show(user.openid, way, way, content)


def _next(world: World) -> int:
    world.templates.next_id += 1
    return world.templates.next_id
