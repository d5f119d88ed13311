"""bindings, one-time codes, photos; how long a code assures a conversation"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("conversations", schema=None) as batch_op:
        batch_op.add_column(sa.Column("assured", sa.JSON(), nullable=False, server_default="[]"))
        batch_op.add_column(sa.Column("assured_until", sa.DateTime(timezone=True), nullable=True))
    with op.batch_alter_table("conversations", schema=None) as batch_op:
        batch_op.alter_column("assured", existing_type=sa.JSON(), existing_nullable=False, server_default=None)
    # The code that had raised a conversation is too old by now.
    op.execute("UPDATE conversations SET assurance = 1 WHERE assurance = 2")

    op.create_table(
        "bindings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("conversation_id", sa.String(length=36), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("customer_no", sa.String(length=12), nullable=True),
        sa.Column("channel_user", sa.String(length=64), nullable=True),
        sa.Column("account_no", sa.String(length=13), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bindings")),
    )
    with op.batch_alter_table("bindings", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_bindings_conversation_id"), ["conversation_id"], unique=False)
        batch_op.create_index("ix_bindings_customer", ["customer_no", "account_no"], unique=False)
        batch_op.create_index("ix_bindings_user", ["channel", "channel_user"], unique=False)

    op.create_table(
        "one_time_codes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("conversation_id", sa.String(length=36), nullable=False),
        sa.Column("purpose", sa.String(length=12), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("asker", sa.String(length=64), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("sent_turn", sa.String(length=80), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("tried_turn", sa.String(length=80), nullable=True),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_one_time_codes")),
        sa.UniqueConstraint(
            "conversation_id", "purpose", "subject", "sent_turn", name=op.f("uq_one_time_codes_conversation_id")
        ),
    )
    with op.batch_alter_table("one_time_codes", schema=None) as batch_op:
        for column in ("subject", "address", "asker"):
            batch_op.create_index(f"ix_one_time_codes_{column}", [column, "sent_at"], unique=False)

    op.create_table(
        "uploads",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("conversation_id", sa.String(length=36), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uploads")),
    )
    with op.batch_alter_table("uploads", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_uploads_conversation_id"), ["conversation_id"], unique=False)


def downgrade() -> None:
    """Take back."""
    for table in ("uploads", "one_time_codes", "bindings"):
        op.drop_table(table)
    with op.batch_alter_table("conversations", schema=None) as batch_op:
        batch_op.drop_column("assured_until")
        batch_op.drop_column("assured")
