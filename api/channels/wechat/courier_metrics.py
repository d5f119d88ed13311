"""The courier's figures."""

from __future__ import annotations

from collections.abc import Mapping
from weakref import WeakKeyDictionary

from prometheus_client import CollectorRegistry, Counter, Gauge

from api.metrics import Metrics
from core.channel.tables import DEAD, PARKED, WAITING


class CourierMetrics:
    """What was sent by which way with what outcome, what waits, and what an operator has to look after."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.sendings = Counter(
            "dianfu_wechat_sendings", "Sendings to WeChat users", ["way", "outcome"], registry=registry
        )
        self.alarms = Counter(
            "dianfu_wechat_alarms", "Refusals that an operator has to look after", ["cause"], registry=registry
        )
        self._waiting = Gauge("dianfu_wechat_waiting", "Messages that wait to be sent", registry=registry)
        self._parked = Gauge("dianfu_wechat_parked", "Messages that wait until the user writes", registry=registry)
        self._dead = Gauge("dianfu_wechat_dead", "Messages that were given up", registry=registry)

    def stands(self, tallies: Mapping[str, int]) -> None:
        """Set how many deliveries there are by state."""
        self._waiting.set(tallies[WAITING])
        self._parked.set(tallies[PARKED])
        self._dead.set(tallies[DEAD])


_known: WeakKeyDictionary[Metrics, CourierMetrics] = WeakKeyDictionary()


def courier_metrics(metrics: Metrics) -> CourierMetrics:
    """Return those of an application; its registry takes each name once."""
    if metrics not in _known:
        _known[metrics] = CourierMetrics(metrics.registry)
    return _known[metrics]
