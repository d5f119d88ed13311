"""What Prometheus may read at `/metrics`; one registry an application, so that tests do not share counters."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_TURN_BUCKETS = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 4, 8)


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

    def render(self) -> bytes:
        """Return all figures in Prometheus' text form."""
        return generate_latest(self.registry)
