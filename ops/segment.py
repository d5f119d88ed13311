"""`dianfu segment …`: portraits and segments made, looked at and explained. What it prints is for staff."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from core.clock import SHANGHAI, system_clock
from core.masking import mask_account_no
from core.portrait.catalogue import Catalogue, CatalogueError
from core.portrait.signals import SignalsError
from core.portrait.tables import Portrait
from core.segment import runs
from core.segment.classify import classify
from core.segment.classify import sentence as rule_sentence
from core.segment.lock import AlreadyRunning, is_running
from core.segment.method import Segmentation
from core.segment.rules import BadSegmentData
from core.segment.standing import standing_of
from core.segment.tables import PUBLISHED, SegmentRun
from core.segment.watch import SEED, values_of
from core.settings import CoreSettings
from ops import databases, segment_watch
from ops.output import Exit, Progressing, fail
from ops.tool import settings_of

segment_app = typer.Typer(help="Portraits and segments of customers.", no_args_is_help=True)
MOST_SEED = 2**31 - 1  # what the column and the libraries hold
RunId = Annotated[int | None, typer.Option("--run", help="Which run; the published one unless said.")]


@segment_app.command()
def run(
    as_of: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The first day not counted.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=MOST_SEED, help="Of what is drawn by chance.")] = SEED,
    progress: Annotated[bool, typer.Option(help="Show how far it is.")] = True,
) -> None:
    """Make portraits and segments of all accounts and publish them; goes on with a run that was cut off."""
    from core.portrait.build import Sources  # these bring scikit-learn, which takes seconds to import
    from core.segment.run import BadDay, LockLost, TooFewAccounts, segment

    settings = settings_of(CoreSettings)
    day = as_of.date() if as_of is not None else system_clock().astimezone(SHANGHAI).date()
    with (
        _told(),
        databases.opened(settings.billing_url, read_only=True) as billing,
        databases.opened(settings.workorder_url, read_only=True) as workorder,
        databases.opened(settings.bridge_url) as bridge,
        Progressing() as report,
    ):
        try:
            made = segment(
                Sources(billing, workorder, bridge), as_of=day, seed=seed, settings=_known(settings), labels=_labels(),
                progress=report if progress else _silent,
            )  # fmt: skip
        except AlreadyRunning:
            fail("another segmentation is being made; nothing was done")
        except LockLost:
            fail("the server dropped a connection; nothing was published, and the next run goes on with this one")
        except BadDay as error:
            fail(str(error), Exit.SETTINGS)
        except TooFewAccounts as error:
            fail(f"no segments: {error} (three bills at least, and a use that is not below zero)")
        with bridge.reading() as session:
            typer.echo(_line(runs.find(session, made)))


@segment_app.command()
def status() -> None:
    """Show the runs, and whether one is being made."""
    with _bridge() as (settings, session):
        with databases.opened(settings.bridge_url) as bridge:
            busy = is_running(bridge)
        for one in session.scalars(select(SegmentRun).order_by(SegmentRun.id.desc()).limit(20)):
            typer.echo(_line(one))
        published = runs.published(session)
        if published is not None:
            known = _known(settings)
            for key, found in published.summary["segments"].items():
                typer.echo(f"  {known.rules.name_of(key)}  {found['accounts']} ({found['share']:.1%})")
        typer.echo("a run is being made" if busy else "no run is being made")


@segment_app.command()
def rules(run_id: RunId = None) -> None:
    """Print the tree of a run in words, and what the clusters are."""
    with _bridge() as (settings, session):
        found, known = _complete(session, run_id), _known(settings)
        for one in found.clusters:
            name = known.rules.name_of(one["segment"]) if one["segment"] else "-"
            typer.echo(f"{one['number'] + 1}  {one['name']}  {one['size']}  {name} ({one['majority'] or 0:.0%})")
        typer.echo("\n".join(found.rules))


@segment_app.command()
def drift(run_id: RunId = None) -> None:
    """Print what moved since the run before: PSI by feature, and accounts between segments."""
    with _bridge() as (settings, session):
        found, known, labels = _complete(session, run_id), _known(settings), _labels()
        if not found.drift:
            typer.echo("there was no run before this one")
        for key, value in sorted(found.drift.get("psi", {}).items(), key=lambda one: -one[1]):
            typer.echo(f"{labels.get(key, (key, ''))[0]}  PSI {value:.3f}")
        for one in found.summary.get("moves", {}).get("rows", []):
            before, after = (known.rules.name_of(one[side]) if one[side] else "-" for side in ("before", "after"))
            typer.echo(f"{before} → {after}  {one['accounts']}")


@segment_app.command()
def explain(account_no: Annotated[str, typer.Argument(help="The account number (户号).")]) -> None:
    """Show why an account is in its segment: its features, the rules it fulfils, the way through the tree."""
    with _bridge() as (settings, session):
        found = _run(session, None)
        query = select(Portrait).where(Portrait.run_id == found.id, Portrait.account_no == account_no)
        portrait = session.scalar(query)
        if portrait is None:
            fail(f"{mask_account_no(account_no)} is not in run {found.id}")
        now = standing_of(session, customer_no=None, account_nos=(account_no,))
        for line in explanation(portrait, found, _known(settings), _labels()):
            typer.echo(line)
        if not any(one.known for one in now.accounts):
            typer.echo(
                "since then: the account has another holder, or none; of whom nothing is known before the next run"
            )
        elif now.segment != portrait.segment:
            typer.echo(f"since then: {_known(settings).rules.name_of(str(now.segment))}")


@segment_app.command("watch")
def watch_command(
    alive: Annotated[Path | None, typer.Option(help="A file that is touched while it works.")] = None,
) -> None:
    """Read orders and payments as they come, and make the runs that are due, until Ctrl-C."""
    settings_of(CoreSettings)
    segment_watch.main(["--alive", str(alive)] if alive else [])


def explanation(
    portrait: Portrait, found: SegmentRun, known: Segmentation, labels: Mapping[str, tuple[str, str]]
) -> Iterator[str]:
    """Yield the lines that explain one portrait; the account number masked."""
    values, thresholds = values_of(portrait), found.model["thresholds"]
    yield f"{mask_account_no(portrait.account_no)}  run {found.id}, as of {found.as_of}"
    yield f"segment: {known.rules.name_of(str(portrait.segment))}" + (
        f"  thin: {portrait.thin}" if portrait.thin else ""
    )
    for segment in known.rules.segments[:-1]:
        for rule in segment.any:
            met = rule.holds(values, thresholds)
            yield f"  [{'x' if met else ' '}] {segment.name}: {rule.words}"
            for one in rule.all:
                bound = f" (>= {thresholds[one.threshold]:,.2f})" if one.threshold in thresholds else ""
                yield f"        {labels.get(one.feature, (one.feature, ''))[0]} = {_shown(values[one.feature])}{bound}"
    if portrait.cluster is not None:
        leaf = classify(found.model["tree"], values)
        yield rule_sentence(
            leaf, words=known.words, labels=labels, classes=known.classes, names=found.model["names"]
        )  # fmt: skip
    yield "tags: " + " ".join(known.rules.name_of(tag) for tag in portrait.tags)


@contextmanager
def _told() -> Iterator[None]:
    """End the command with what went wrong, in one line."""
    try:
        yield
    except (BadSegmentData, SignalsError, CatalogueError) as error:
        fail(str(error), Exit.SETTINGS)
    except SQLAlchemyError as error:
        fail(f"a database cannot be asked (`dianfu migrate`): {str(error).splitlines()[0]}", Exit.NOT_PREPARED)


@contextmanager
def _bridge() -> Iterator[tuple[CoreSettings, Session]]:
    settings = settings_of(CoreSettings)
    with _told(), databases.opened(settings.bridge_url) as bridge, bridge.reading() as session:
        yield settings, session


def _complete(session: Session, run_id: int | None) -> SegmentRun:
    found = _run(session, run_id)
    if not found.summary:
        fail(f"run {found.id} has nothing to show: it is {found.state}" + (f" ({found.error})" if found.error else ""))
    return found


def _run(session: Session, run_id: int | None) -> SegmentRun:
    found = session.get(SegmentRun, run_id) if run_id is not None else runs.published(session)
    if found is None:
        fail(
            "there is no such run" if run_id is not None else "no run is published yet; `dianfu segment run` makes one"
        )
    return found


def _known(settings: CoreSettings) -> Segmentation:
    return Segmentation.load(settings.data_dir / "segments")


def _labels() -> dict[str, tuple[str, str]]:
    return {one.key: (one.name, one.unit) for one in Catalogue.load().features}


def _silent(_what: str, _done: int, _total: int) -> None:
    """Hear how far a run is, and say nothing."""


def _line(one: SegmentRun) -> str:
    clusters, agreement = one.quality.get("clusters", "-"), one.quality.get("tree", {}).get("agreement", "-")
    state = f"{one.state} ({one.stage})" if one.stage else one.state
    text = (
        f"run {one.id}  {state:<10}  as of {one.as_of}  {one.accounts} accounts  {clusters} clusters  "
        f"tree {agreement}  heartbeat {_at(one.heartbeat_at)}"
    )
    return text + (f"  {one.error}" if one.error and one.state != PUBLISHED else "")


def _at(moment: datetime) -> str:
    return f"{moment.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"


def _shown(value: Any) -> str:
    return "-" if value is None else f"{value:,.4g}" if isinstance(value, float) else str(value)
