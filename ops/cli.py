"""The `dianfu` command: `dianfu --help` lists what it can do."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from ops import (
    agents,
    audit,
    bench_segments,
    broadcast,
    campaign,
    corrections,
    credentials,
    data,
    insight,
    learning,
    model,
    orders,
    outages,
    outbox,
    segment,
    serve,
    training,
    wechat,
)
from ops.output import Exit, fail, show
from ops.simulation.command import drill_app

app = typer.Typer(name="dianfu", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.command()(serve.serve)
app.command()(data.migrate)
app.command()(data.seed)
app.command("rotate-fields")(data.rotate_fields)
app.command()(credentials.token)
app.command()(credentials.env)
app.command()(corrections.corrections)
app.add_typer(credentials.keys_app, name="keys")
app.add_typer(orders.order_app, name="order")
app.add_typer(outages.outages_app, name="outage")
app.add_typer(agents.agent_app, name="agent")
app.add_typer(audit.audit_app, name="audit")
app.add_typer(drill_app, name="drill")
app.add_typer(bench_segments.app, name="bench")
app.add_typer(broadcast.broadcast_app, name="broadcast")
app.add_typer(campaign.campaign_app, name="campaign")
app.add_typer(outbox.outbox_app, name="outbox")
app.add_typer(wechat.wechat_app, name="wechat")
app.add_typer(segment.segment_app, name="segment")
app.add_typer(insight.insight_app, name="insight")
app.add_typer(learning.learn_app, name="learn")
app.add_typer(model.model_app, name="model")


@app.callback()
def in_project() -> None:
    """Set up, run and look after dianfu (电小服)."""
    # Paths in the settings are relative to the project's folder, wherever the command is typed.
    os.chdir(os.environ.get("DIANFU_ROOT") or Path(__file__).resolve().parent.parent)


@app.command()
def train(force: Annotated[bool, typer.Option("--force", help="Train all parts anew.")] = False) -> None:
    """Train the model; when training fails the last good one stays."""
    try:
        seconds = asyncio.run(training.train(Path.cwd(), show, force=force))
    except training.TrainingFailed as error:
        fail(f"training failed: {error}", Exit.PREPARATION)
    typer.echo(f"the model is trained: models/{training.MODEL_NAME}.tar.gz ({seconds:.0f} s)")


def main() -> None:
    """Run the command line."""
    app()
