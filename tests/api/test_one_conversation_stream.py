"""The stream and the older sessions, when a conversation is joined to another one."""

from __future__ import annotations

from typing import Any

from bridge_kit import Bridge, customer_token
from starlette.testclient import TestClient

from core.channel.link import linked
from core.channel.tables import WECHAT
from core.channel.users import user_of


def test_a_stream_is_told_that_its_conversation_goes_on_elsewhere(bridge: Bridge) -> None:
    with TestClient(bridge.app) as client:
        headers = {"Authorization": f"Bearer {customer_token(customer_no='C0000777', accounts=('4200000000777',))}"}
        opened = client.post("/v1/sessions", json={"channel": "app"}, headers=headers).json()
        mine = {"Authorization": f"Bearer {opened['token']}"}
        client.post("/v1/messages", json={"client_id": "c-1", "text": "在应用里"}, headers=mine)
        with client.websocket_connect("/v1/stream", headers=mine) as socket:
            seen: list[dict[str, Any]] = [socket.receive_json() for _ in range(3)]
            assert [one.get("message", {}).get("channel") for one in seen[:2]] == ["app", "app"]
            home = _link(bridge)
            bridge.parts.bus.publish(opened["conversation_id"])
            frame = socket.receive_json()
            while frame["kind"] not in ("moved",):
                frame = socket.receive_json()
            assert frame == {"kind": "moved", "conversation_id": home}
            assert socket.receive()["code"] == 4410
        found = client.get("/v1/messages", headers=mine).json()
        assert (found["conversation_id"], found["messages"]) == (home, [])
        with client.websocket_connect(f"/v1/stream?conversation={opened['conversation_id']}", headers=mine) as socket:
            assert socket.receive_json()["kind"] == "moved"


def _link(bridge: Bridge) -> str:
    from datetime import timedelta

    with bridge.parts.bridge.transaction() as session:
        user = user_of(session, WECHAT, "o-stream", now=bridge.clock())
        return linked(session, user, "C0000777", open_for=timedelta(hours=24), now=bridge.clock()).id
