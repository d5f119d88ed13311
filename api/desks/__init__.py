"""The desks at which people answer: the built-in one, and others behind the same interface."""

from api.desks.base import Case, DeskInbound, HandoffDesk

__all__ = ["Case", "DeskInbound", "HandoffDesk"]
