"""`dianfu drill desk`: many customers and agents, who are programs, on a site of their own."""

from __future__ import annotations

from typing import Annotated

import typer

from ops.output import Exit, fail
from ops.simulation.drill import DrillFailed, drill
from ops.simulation.plan import Setup
from ops.simulation.site import SiteFailed
from ops.simulation.verdict import REPLAY_RATIO, REPLAY_SLACK, STEADY_LOAD, STEADY_RATIO, STEADY_SLACK, Verdict

drill_app = typer.Typer(help="Drills: how the desk does under load.", no_args_is_help=True)
CLASSES = ("danger", "life support", "special service", "complaint", "high value", "other")


@drill_app.callback()
def _group() -> None:
    """Drills: how the desk does under load."""


@drill_app.command("desk")
def desk(
    customers: Annotated[int, typer.Option(min=20, help="Who want a person.")] = 200,
    agents: Annotated[int, typer.Option(min=4, help="Each has one conversation at a time.")] = 20,
    minutes: Annotated[float, typer.Option(min=0.2, help="In which the customers come.")] = 10,
    speed: Annotated[float, typer.Option(min=1, help="How much faster the desk's waiting times pass.")] = 20,
    load: Annotated[float, typer.Option(min=0.1, max=0.95, help="Share of the agents' time that is needed.")] = 0.8,
    seed: Annotated[int, typer.Option(help="Another one, other customers.")] = 5,
) -> None:
    """Let simulated customers and agents use the desk, and tell whether all went well (1 if not)."""
    setup = Setup(customers, agents, minutes, speed, load, seed)
    try:
        verdict = drill(setup, typer.echo)
    except (DrillFailed, SiteFailed) as error:
        fail(f"the drill could not be run: {error}")
    typer.echo(report(verdict))
    if verdict.faults:
        raise typer.Exit(Exit.FAILED)


def report(verdict: Verdict) -> str:
    """Return what came of a drill in lines."""
    ends = ", ".join(f"{count} {end}" for end, count in verdict.ends.most_common())
    lines = [
        f"cases: {ends}; {verdict.offers} offers, {verdict.let_go} let go by",
        f"messages: {verdict.messages}, sockets cut {verdict.cuts} times; "
        f"the desk looked for work every {verdict.look_seconds:.1f} s",
        *(f"{one.pool}: {one.customers} served by {one.agents}, mean wait {one.measured:.2f} s, by the replay "
          f"{one.replayed:.2f} s (x {one.measured / one.replayed:.2f}), by Erlang C {one.steady:.2f} s "
          f"at a load of {one.load:.2f}"
          for one in verdict.waits),
        f"taken as right: x {REPLAY_RATIO[0]:g} to {REPLAY_RATIO[1]:g} of the replay (± {REPLAY_SLACK:g} s), "
        f"x {STEADY_RATIO[0]:g} to {STEADY_RATIO[1]:g} of Erlang C (± {STEADY_SLACK:g} s) up to a load of "
        f"{STEADY_LOAD:g}",
        *(f"mean wait, {CLASSES[priority]}: {wait:.2f} s" for priority, wait in verdict.by_priority.items()),
    ]  # fmt: skip
    lines += [f"FAULT {fault}" for fault in verdict.faults] or ["no fault was found"]
    return "\n".join(lines)
