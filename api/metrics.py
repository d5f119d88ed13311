"""What Prometheus may read at `/metrics`; one registry an application, so that tests do not share counters."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_TURN_BUCKETS = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 4, 8)


class DeskMetrics:
    """How the desk stands, and what went wrong there; the counters are those of this process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._waiting = Gauge("dianfu_desk_waiting", "Cases that wait for a person", ["skill"], registry=registry)
        self._longest = Gauge(
            "dianfu_desk_longest_wait_seconds", "Since when the first of them has asked", registry=registry
        )
        self._agents = Gauge(
            "dianfu_desk_agents", "People of the desk; lost: on duty without a console", ["status"], registry=registry
        )
        self.offers_lapsed = Counter("dianfu_desk_offers_lapsed", "Offers nobody took in time", registry=registry)
        self.vanished = Counter("dianfu_desk_vanished", "Conversations of agents who vanished", registry=registry)
        self.breaches = Counter(
            "dianfu_desk_breaches", "Clocks that ran past their promise", ["clock"], registry=registry
        )

    def stands(self, waiting: Mapping[str, int], longest: timedelta, agents: Mapping[str, int]) -> None:
        """Set how many wait by skill, for how long the first of them, and how many people there are by status."""
        for skill, count in waiting.items():
            self._waiting.labels(skill).set(count)
        self._longest.set(longest.total_seconds())
        for status, count in agents.items():
            self._agents.labels(status).set(count)


class Metrics:
    """The figures of one bridge."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "dianfu_requests", "HTTP requests", ["method", "route", "status"], registry=self.registry
        )
        self.turns = Counter("dianfu_turns", "Turns put to Rasa", ["outcome"], registry=self.registry)
        self.turn_seconds = Histogram(
            "dianfu_turn_seconds",
            "A turn without its queueing",
            buckets=_TURN_BUCKETS,
            registry=self.registry,
        )
        self.rasa_seconds = Histogram(
            "dianfu_rasa_seconds", "Rasa's part of a turn", buckets=_TURN_BUCKETS, registry=self.registry
        )
        self.handoffs = Counter("dianfu_handoffs", "Conversations given to people", ["reason"], registry=self.registry)
        self.danger = Counter("dianfu_danger", "Messages the safety line answered", ["kind"], registry=self.registry)
        self.sockets = Gauge("dianfu_sockets", "Open streams", registry=self.registry)
        self.deliveries = Counter("dianfu_deliveries", "Outbox deliveries", ["kind", "outcome"], registry=self.registry)
        self.outbox = Gauge(
            "dianfu_outbox", "Deliveries that were given up (dead) or fail again and again (overdue)", ["state"],
            registry=self.registry,
        )  # fmt: skip
        self.sends = Gauge(
            "dianfu_sends", "Sends of broadcasts under way, and those given up in a week", ["state"],
            registry=self.registry,
        )  # fmt: skip
        self.broadcasts = Gauge("dianfu_broadcasts_running", "Broadcasts under way", registry=self.registry)
        self.desk = DeskMetrics(self.registry)

    def render(self) -> bytes:
        """Return all figures in Prometheus' text form."""
        return generate_latest(self.registry)
