"""`dianfu learn …`: gather what was not understood, put it into groups, give out what reviewers made of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from core.clock import system_clock
from core.fields import UnreadableField
from core.learning import jobs, marks
from core.learning.collect import Collected, Sources, collect
from core.learning.export import Exported, Guard, write
from core.learning.group_rows import Overtaken
from core.learning.held_out import FILE, SETS, BadHeldOutFile, HeldOut, messages_in, terms_of
from core.learning.settings import BadLearningFile, learning_settings
from core.learning.tables import LearnedFaq, LearningGroup, LearningItem
from core.learning.training import BadTrainingFile
from core.settings import CoreSettings
from ops import databases
from ops.output import Exit, fail, show
from ops.tool import settings_of

learn_app = typer.Typer(no_args_is_help=True, help="Learning from questions that were not answered well.")
FOLDER = Path("var") / "learned"


@contextmanager
def sources_of(settings: CoreSettings) -> Iterator[Sources]:
    """Give the three databases with all that gathering needs."""
    with (
        databases.opened(settings.bridge_url) as bridge, databases.opened(settings.workorder_url) as workorder,
        databases.opened(settings.billing_url, read_only=True) as billing,
    ):  # fmt: skip
        yield Sources.of(bridge, workorder, billing, keyring=settings.keyring(), data_dir=settings.data_dir)


@learn_app.command("collect")
def gather() -> None:
    """Read on in the log and keep what was not answered well, without personal data."""
    with _told():
        settings = settings_of(CoreSettings)
        from core.learning.said_names import names_in  # here: jieba takes a second to load

        with sources_of(settings) as sources:
            rules = learning_settings(settings.data_dir)
            found = collect(sources, rules, now=system_clock(), find_names=names_in)
    typer.echo(_collected(found))


@learn_app.command()
def groups() -> None:
    """Gather what is new, and put all that is open into groups, ranked by harm (what the console's button does)."""
    with _told():
        settings = settings_of(CoreSettings)
        with sources_of(settings) as sources:
            made = jobs.refresh(
                sources, learning_settings(settings.data_dir), settings.data_dir / "nlu", now=system_clock(),
                progress=lambda stage: show("learn", stage),
            )  # fmt: skip
    typer.echo(
        f"{made.new} new messages; {made.items} open ones in {made.groups} groups, {made.kept} of them as before"
    )
    if made.waiting:
        typer.echo(f"{made.waiting} older ones wait for their turn")


@learn_app.command()
def export(
    folder: Annotated[Path, typer.Option(help="Where the files go.")] = FOLDER,
) -> None:
    """Write what was labelled as training messages, and the approved answers as items of knowledge."""
    with _told():
        settings = settings_of(CoreSettings)
        guard = Guard.load(settings.data_dir)
        with databases.opened(settings.bridge_url) as bridge:
            made = write(bridge, folder, now=system_clock(), guard=guard)
    typer.echo(_exported(made, folder))


@learn_app.command()
def status() -> None:
    """Print how many messages are in which state, the worst groups, and when what was done last."""
    with _told():
        settings = settings_of(CoreSettings)
        with databases.opened(settings.bridge_url) as bridge, bridge.reading() as session:
            states = select(LearningItem.state, func.count()).group_by(LearningItem.state).order_by(LearningItem.state)
            answers = select(LearnedFaq.state, func.count()).group_by(LearnedFaq.state).order_by(LearnedFaq.state)
            typer.echo("messages: " + _counts(dict(session.execute(states).tuples().all())))
            typer.echo("answers: " + _counts(dict(session.execute(answers).tuples().all())))
            for key in (marks.CURSOR, marks.RUN, marks.EXPORT):
                typer.echo(f"{key.removeprefix('learning_')}: {marks.mark(session, key) or 'never'}")
            worst = select(LearningGroup).where(LearningGroup.size > 0).order_by(LearningGroup.harm.desc())
            for group in session.scalars(worst.order_by(LearningGroup.id).limit(10)):
                typer.echo(f"{group.harm:8.1f}  {group.size:4d}  {group.name}")


@learn_app.command("held-out")
def held_out(
    sets: Annotated[Path, typer.Option(help="Folder of the validation sets.")] = SETS,
) -> None:
    """Write the hashes of the validation sets anew, by which an export keeps their messages out of training."""
    settings, texts = settings_of(CoreSettings), messages_in(sets)
    if not texts:
        fail(f"there are no validation sets in {sets}", Exit.SETTINGS)
    (settings.data_dir / FILE).write_text(HeldOut(terms_of(text) for text in texts).packed(), encoding="ascii")
    typer.echo(f"{len(texts)} messages of the validation sets are known by {settings.data_dir / FILE}")


@contextmanager
def _told() -> Iterator[None]:
    """End the command with what went wrong, in one line."""
    try:
        yield
    except (BadLearningFile, BadHeldOutFile, BadTrainingFile) as error:
        fail(str(error), Exit.SETTINGS)
    except UnreadableField as error:
        fail(f"what has to be taken out cannot be read, its key is missing in DIANFU_FIELD_KEYS: {error}")
    except Overtaken:
        fail("another run was faster: the groups are new already")
    except OSError as error:
        fail(f"a file cannot be read or written: {error}")
    except SQLAlchemyError as error:
        fail(f"a database cannot be asked (`dianfu migrate`): {str(error).splitlines()[0]}")


def _collected(found: Collected) -> str:
    left_out = f"; left out: {_counts(dict(found.dropped))}" if found.dropped else ""
    return f"{found.new} new messages, {found.changed} with a further reason{left_out}"


def _exported(made: Exported, folder: Path) -> str:
    refused = f"; refused: {_counts(made.refused)}" if made.refused else ""
    return f"{made.messages} messages and {made.faqs} answers are in {folder}{refused}"


def _counts(found: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(found.items())) or "none"
