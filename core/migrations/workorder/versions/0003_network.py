"""the supply network, outages, reports and subscribers"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    _network()
    _outages()
    _reports()


def _network() -> None:
    op.create_table(
        "network_nodes",
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("parent_code", sa.String(length=40), nullable=True),
        sa.Column("district", sa.String(length=40), nullable=False),
        sa.Column("road", sa.String(length=40), nullable=True),
        sa.Column("place", sa.String(length=40), nullable=True),
        sa.Column("first_building", sa.Integer(), nullable=True),
        sa.Column("last_building", sa.Integer(), nullable=True),
        sa.Column("area_class", sa.String(length=8), nullable=False),
        sa.Column("owner", sa.String(length=8), nullable=False),
        sa.CheckConstraint("kind in ('substation', 'feeder', 'transformer')", name=op.f("ck_network_nodes_node_kind")),
        sa.ForeignKeyConstraint(["parent_code"], ["network_nodes.code"], name=op.f("fk_network_nodes_parent_code")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_network_nodes")),
    )
    for column in ("parent_code", "district", "place"):
        op.create_index(op.f(f"ix_network_nodes_{column}"), "network_nodes", [column])
    op.create_table(
        "supply_points",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_no", sa.String(length=13), nullable=True),
        sa.Column("transformer_code", sa.String(length=40), nullable=False),
        sa.Column("building", sa.String(length=20), nullable=True),
        sa.Column("unit", sa.String(length=10), nullable=True),
        sa.ForeignKeyConstraint(
            ["transformer_code"], ["network_nodes.code"], name=op.f("fk_supply_points_transformer_code")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_supply_points")),
        sa.UniqueConstraint("account_no", name=op.f("uq_supply_points_account_no")),
    )
    op.create_index(op.f("ix_supply_points_transformer_code"), "supply_points", ["transformer_code"])


def _outages() -> None:
    op.create_table(
        "outages",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("outage_no", sa.String(length=20), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("cause", sa.String(length=24), nullable=True),
        sa.Column("area", sa.String(length=200), nullable=False),
        sa.Column("district", sa.String(length=40), nullable=False),
        sa.Column("area_class", sa.String(length=8), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expected_said_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("restored_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outages")),
        sa.UniqueConstraint("outage_no", name=op.f("uq_outages_outage_no")),
    )
    op.create_index(op.f("ix_outages_district"), "outages", ["district"])
    op.create_index("ix_outages_state", "outages", ["state", "started_at"])
    op.create_table(
        "outage_nodes",
        sa.Column("outage_id", sa.Integer(), nullable=False),
        sa.Column("node_code", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["node_code"], ["network_nodes.code"], name=op.f("fk_outage_nodes_node_code")),
        sa.ForeignKeyConstraint(["outage_id"], ["outages.id"], name=op.f("fk_outage_nodes_outage_id")),
        sa.PrimaryKeyConstraint("outage_id", "node_code", name=op.f("pk_outage_nodes")),
    )
    op.create_index(op.f("ix_outage_nodes_node_code"), "outage_nodes", ["node_code"])


def _reports() -> None:
    op.create_table(
        "outage_reports",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("conversation_id", sa.String(length=36), nullable=False),
        sa.Column("outage_id", sa.Integer(), nullable=True),
        sa.Column("transformer_code", sa.String(length=40), nullable=True),
        sa.Column("area", sa.String(length=120), nullable=True),
        sa.Column("building", sa.String(length=30), nullable=True),
        sa.Column("premises", sa.String(length=60), nullable=False),
        sa.Column("account_no", sa.String(length=13), nullable=True),
        sa.Column("order_no", sa.String(length=20), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["outage_id"], ["outages.id"], name=op.f("fk_outage_reports_outage_id")),
        sa.ForeignKeyConstraint(
            ["transformer_code"], ["network_nodes.code"], name=op.f("fk_outage_reports_transformer_code")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outage_reports")),
    )
    op.create_index(op.f("ix_outage_reports_conversation_id"), "outage_reports", ["conversation_id"])
    op.create_index(op.f("ix_outage_reports_outage_id"), "outage_reports", ["outage_id"])
    op.create_index("ix_outage_reports_where", "outage_reports", ["transformer_code", "at"])
    op.create_table(
        "outage_subscribers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("outage_id", sa.Integer(), nullable=False),
        sa.Column("conversation_id", sa.String(length=36), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["outage_id"], ["outages.id"], name=op.f("fk_outage_subscribers_outage_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outage_subscribers")),
        sa.UniqueConstraint("outage_id", "conversation_id", name=op.f("uq_outage_subscribers_outage_id")),
    )


def downgrade() -> None:
    """Take back."""
    for table in (
        "outage_subscribers", "outage_reports", "outage_nodes", "outages", "supply_points", "network_nodes",
    ):  # fmt: skip
        op.drop_table(table)
