"""`dianfu insight report`: the weekly report of the dashboards as PDF, printed by Chromium, or as one HTML file."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError

from core.clock import SHANGHAI, system_clock
from core.settings import CoreSettings
from ops import databases
from ops.output import Exit, fail
from ops.tool import settings_of

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")  # as the Makefile looks for them
PRINTING_SECONDS = 90
PDF = b"%PDF-"
insight_app = typer.Typer(help="The dashboards: the weekly report.", no_args_is_help=True)


class NoChromium(Exception):
    """There is no browser here that could print."""


class PrintingFailed(Exception):
    """The browser has made no PDF."""


@insight_app.callback()
def _group() -> None:
    """Keep `report` a subcommand: there may be more."""


@insight_app.command()
def report(
    out: Annotated[Path, typer.Option(help="The file to write.", dir_okay=False)],
    week: Annotated[str, typer.Option(help="The week, e.g. 2026-W47; without it, the last that is over.")] = "",
    html: Annotated[
        bool, typer.Option("--html", help="One HTML file that needs nothing else, instead of PDF.")
    ] = False,
) -> None:
    """Write the weekly report from the databases; no server needs to run."""
    settings = settings_of(CoreSettings)
    page = _page(settings, week, system_clock())
    try:
        if html:
            out.write_text(page, encoding="utf-8")
        else:
            print_pdf(page, out)
    except NoChromium:
        fail("there is no Chromium here to print with (apt-get install chromium fonts-noto-cjk); --html writes HTML")
    except PrintingFailed as error:
        fail(f"Chromium has printed nothing: {error}")
    except OSError as error:
        fail(f"the report cannot be written: {error}")
    typer.echo(f"the report is written: {out}")


def print_pdf(page: str, out: Path, *, chromium: str | None = None) -> None:
    """Print a page that needs nothing else; `out` is written only when all went well.

    Raises:
        NoChromium: if no browser is found.
        PrintingFailed: if the browser makes no PDF in time.
        OSError: if `out` cannot be written.
    """
    browser = chromium or find_chromium()
    with TemporaryDirectory(prefix="dianfu-report-") as folder:
        source, made = Path(folder, "report.html"), Path(folder, "report.pdf")
        source.write_text(page, encoding="utf-8")
        said = _print(browser, source, made, Path(folder, "profile"))
        if not made.exists() or not made.read_bytes().startswith(PDF):
            raise PrintingFailed(said or "no reason given")
        shutil.copyfile(made, out)


def find_chromium() -> str:
    """Return the browser's path; raises `NoChromium`."""
    found = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if found is None:
        raise NoChromium
    return found


def _print(browser: str, source: Path, made: Path, profile: Path) -> str:
    """Let the browser print; return the last line that it said."""
    command = [
        browser, "--headless", "--disable-gpu", "--no-first-run", "--no-pdf-header-footer", "--disable-extensions",
        "--disable-background-networking", f"--user-data-dir={profile}", f"--print-to-pdf={made}", source.as_uri(),
    ]  # fmt: skip
    if os.geteuid() == 0:
        command.insert(1, "--no-sandbox")  # Chromium refuses root with its sandbox; the page is our own file
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PRINTING_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"no answer in {PRINTING_SECONDS} seconds"
    except OSError as error:
        return str(error)
    return done.stderr.strip().splitlines()[-1] if done.stderr.strip() else ""


def _page(settings: CoreSettings, week: str, now: datetime) -> str:
    # Imported late: the other commands need nothing of the bridge's web framework.
    from api.insight.report import Week, report_data, report_html
    from core.insight.kpi import Sources
    from core.insight.spans import BadSpan

    try:
        chosen = Week.parse(week) if week else Week.before(now.astimezone(SHANGHAI).date())
        with ExitStack() as stack:
            names = databases.urls(settings)
            opened = {name: stack.enter_context(databases.opened(url, read_only=True)) for name, url in names.items()}
            sources = Sources(opened["bridge"], opened["workorder"], opened["billing"], settings.data_dir)
            return report_html(report_data(sources, chosen, now=now), inline=True)
    except BadSpan as error:
        fail(f"{error}; a week is written 2026-W47", Exit.SETTINGS)
    except SQLAlchemyError as error:
        fail(f"the databases cannot be asked (`dianfu migrate`): {type(error).__name__}")
