"""All routes of the desk, in the order in which they are looked through."""

from __future__ import annotations

from api.desk import (
    answers,
    audit_view,
    callbacks,
    canned,
    customer,
    drafts,
    export,
    figures,
    hall,
    handling,
    hours,
    inbox,
    login,
    managers,
    options,
    orders,
    outgoing,
    page,
    people,
    photos,
    quality,
    socket,
    talk,
    wall,
)

ROUTERS = tuple(
    module.router
    for module in (
        page, login, inbox, talk, handling, customer, orders, photos, drafts, canned, options, socket,
        wall, figures, export, quality, people, answers, hours, audit_view, hall, outgoing, callbacks, managers,
    )
)  # fmt: skip
