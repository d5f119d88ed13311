"""Service clocks: first response, closure and field arrival, computed on read from the event log, in working time."""

from core.service_clock.calendar import Calendar, DeskHours, UnknownPauseReason, UnknownSkill
from core.service_clock.clocks import arrival, closure, figures, first_response
from core.service_clock.hours import BadHours, NaiveInstant, NegativeTime, NeverOpen
from core.service_clock.model import ARRIVAL, CLOSURE, FIRST_RESPONSE, Event, Figure, Pause

__all__ = [
    "ARRIVAL",
    "CLOSURE",
    "FIRST_RESPONSE",
    "BadHours",
    "Calendar",
    "DeskHours",
    "Event",
    "Figure",
    "NaiveInstant",
    "NegativeTime",
    "NeverOpen",
    "Pause",
    "UnknownPauseReason",
    "UnknownSkill",
    "arrival",
    "closure",
    "figures",
    "first_response",
]
