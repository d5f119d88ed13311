"""What the commands print: plain lines with a name before each, progress bars, errors with an exit code."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from enum import IntEnum
from typing import NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

Report = Callable[[str, int, int], None]  # what is done, how many so far, how many in all
LINE_EVERY = 5.0


class Exit(IntEnum):
    """Exit codes of all commands."""

    OK = 0
    FAILED = 1  # what was asked could not be done
    SETTINGS = 2  # a setting is missing or bad, as with a wrong option
    PORT = 3  # a port is taken
    NOT_PREPARED = 4  # no model, no data or no migrated database
    PREPARATION = 5  # training, migrating or seeding failed
    NOT_READY = 6  # a process did not become ready


def fail(message: str, code: Exit = Exit.FAILED) -> NoReturn:
    """Print an error on stderr and end the command."""
    typer.echo(f"dianfu: {message}", err=True)
    raise typer.Exit(code)


def show(name: str, line: str) -> None:
    """Print one line of a process, with its name."""
    try:
        print(f"{name:<8}| {line}", flush=True)
    except BrokenPipeError:
        # Whoever read our output has gone; the processes go on without being heard.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Progressing:
    """A progress bar on a terminal, else a line every few seconds; use as a context manager."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description:<24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            console=self._console,
        )  # fmt: skip
        self._tasks: dict[str, TaskID] = {}
        self._last_line = time.monotonic()

    def __enter__(self) -> Report:
        if self._console.is_terminal:
            self._bars.start()
            return self._bar
        return self._line

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._bars.stop()

    def _bar(self, what: str, done: int, total: int) -> None:
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what, total=total)
        self._bars.update(self._tasks[what], completed=done, total=total)

    def _line(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if done >= total or now - self._last_line >= LINE_EVERY:
            self._last_line = now
            print(f"{what} {done}/{total}", file=sys.stderr, flush=True)
