"""Alembic migrations of the three databases, one folder each, and the functions that run them."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData

import core.account
import core.agent
import core.audit
import core.bill
import core.binding
import core.canned
import core.channel.tables
import core.conversation
import core.desk_feed
import core.desk_note
import core.desk_session
import core.desk_setting
import core.hall
import core.handoff.tables
import core.learning.tables
import core.network
import core.one_time_code
import core.outage
import core.outbox
import core.payment
import core.portrait.tables
import core.proactive.tables
import core.quality
import core.recommend.tables
import core.reveal
import core.segment.tables
import core.survey
import core.upload
import core.usage
import core.work_order
from core.db import BillingBase, BridgeBase, Database, WorkOrderBase

METADATA: dict[str, MetaData] = {
    "billing": BillingBase.metadata,
    "workorder": WorkOrderBase.metadata,
    "bridge": BridgeBase.metadata,
}


def config(name: str, database: Database) -> Config:
    """Return the Alembic configuration of the database called `name`."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent))
    settings.set_main_option("version_locations", str(Path(__file__).parent / name / "versions"))
    settings.set_main_option("path_separator", "os")
    settings.attributes["database"] = database
    settings.attributes["metadata"] = METADATA[name]
    return settings


def upgrade(name: str, database: Database) -> None:
    """Bring the database called `name` to the newest revision; a database that is there already is left as it is."""
    command.upgrade(config(name, database), "head")


def is_current(name: str, database: Database) -> bool:
    """Tell whether the database stands at the newest revision."""
    head = ScriptDirectory.from_config(config(name, database)).get_current_head()
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision() == head
