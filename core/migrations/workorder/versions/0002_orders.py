"""the whole work order, promises, notices

The table of work orders is made anew: what customers wrote stood in it in clear, and no production has it yet.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.drop_table("work_orders")
    op.create_table(
        "work_orders",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("order_no", sa.String(length=20), nullable=False),
        sa.Column("cause", sa.String(length=80), nullable=False),
        sa.Column("category", sa.String(length=120), nullable=False),
        sa.Column("title", sa.String(length=60), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("family", sa.String(length=30), nullable=False),
        sa.Column("priority", sa.String(length=8), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("account_no", sa.String(length=13), nullable=True),
        sa.Column("customer_no", sa.String(length=12), nullable=True),
        sa.Column("conversation_id", sa.String(length=36), nullable=True),
        sa.Column("address_cipher", sa.String(length=1200), nullable=True),
        sa.Column("address_hash", sa.String(length=64), nullable=True),
        sa.Column("contact_cipher", sa.String(length=400), nullable=True),
        sa.Column("description_cipher", sa.Text(), nullable=False),
        sa.Column("details_cipher", sa.Text(), nullable=False),
        sa.Column("district", sa.String(length=40), nullable=True),
        sa.Column("area_class", sa.String(length=8), nullable=True),
        sa.Column("place_code", sa.String(length=40), nullable=True),
        sa.Column("urges", sa.Integer(), nullable=False),
        sa.Column("escalated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_work_orders")),
        sa.UniqueConstraint("cause", name=op.f("uq_work_orders_cause")),
        sa.UniqueConstraint("order_no", name=op.f("uq_work_orders_order_no")),
    )
    for column in ("account_no", "customer_no", "conversation_id", "address_hash", "place_code"):
        op.create_index(op.f(f"ix_work_orders_{column}"), "work_orders", [column])
    op.create_index("ix_work_orders_state", "work_orders", ["state", "priority", "opened_at"])
    op.create_index("ix_work_orders_family", "work_orders", ["family", "state"])
    _create_events()
    _create_promises()
    _create_notices()


def _create_events() -> None:
    op.create_table(
        "order_events",
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("by", sa.String(length=10), nullable=False),
        sa.Column("conversation_id", sa.String(length=36), nullable=True),
        sa.Column("cause", sa.String(length=80), nullable=True),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("note_cipher", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["order_id"], ["work_orders.id"], name=op.f("fk_order_events_order_id")),
        sa.PrimaryKeyConstraint("order_id", "seq", name=op.f("pk_order_events")),
        sa.UniqueConstraint("cause", name=op.f("uq_order_events_cause")),
    )
    op.create_index(op.f("ix_order_events_conversation_id"), "order_events", ["conversation_id"])


def _create_promises() -> None:
    op.create_table(
        "promises",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subject_kind", sa.String(length=8), nullable=False),
        sa.Column("subject_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("conversation_id", sa.String(length=36), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("moved_to", sa.Integer(), nullable=True),
        sa.Column("kept_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["moved_to"], ["promises.id"], name=op.f("fk_promises_moved_to")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promises")),
    )
    op.create_index(op.f("ix_promises_conversation_id"), "promises", ["conversation_id"])
    op.create_index("ix_promises_subject", "promises", ["subject_kind", "subject_id", "kind"])


def _create_notices() -> None:
    op.create_table(
        "notices",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("conversation_id", sa.String(length=36), nullable=False),
        sa.Column("wording", sa.String(length=40), nullable=False),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sa.UniqueConstraint("key", name=op.f("uq_notices_key")),
    )
    op.create_index(op.f("ix_notices_conversation_id"), "notices", ["conversation_id"])
    op.create_index("ix_notices_due", "notices", ["delivered_at", "id"])


def downgrade() -> None:
    """Take back."""
    for table in ("notices", "promises", "order_events", "work_orders"):
        op.drop_table(table)
    op.create_table(
        "work_orders",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("order_no", sa.String(length=20), nullable=False),
        sa.Column("cause", sa.String(length=80), nullable=False),
        sa.Column("category", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("priority", sa.String(length=8), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("account_no", sa.String(length=13), nullable=True),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_work_orders")),
        sa.UniqueConstraint("cause", name=op.f("uq_work_orders_cause")),
        sa.UniqueConstraint("order_no", name=op.f("uq_work_orders_order_no")),
    )
    op.create_index(op.f("ix_work_orders_account_no"), "work_orders", ["account_no"])
    op.create_index("ix_work_orders_state", "work_orders", ["state", "priority", "opened_at"])
