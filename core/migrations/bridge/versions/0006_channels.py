"""channels that push, joined conversations, messages that we send first, the hall"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "broadcasts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("wording", sa.String(length=40), nullable=False),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("audience", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("cursor", sa.Integer(), nullable=False),
        sa.Column("fanned_out", sa.Boolean(), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stopped_by", sa.String(length=40), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_broadcasts")),
        sa.UniqueConstraint("key", name=op.f("uq_broadcasts_key")),
    )
    with op.batch_alter_table("broadcasts", schema=None) as batch_op:
        batch_op.create_index("ix_broadcasts_state", ["state"], unique=False)

    op.create_table(
        "channel_pushes",
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("external_id", sa.String(length=120), nullable=False),
        sa.Column("channel_user_id", sa.Integer(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("conversation_id", sa.String(length=36), nullable=True),
        sa.Column("seq", sa.Integer(), nullable=True),
        sa.Column("reply", sa.JSON(), nullable=True),
        sa.Column("passing_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("passed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("boot", sa.String(length=36), nullable=True),
        sa.Column("todo", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("channel", "external_id", name=op.f("pk_channel_pushes")),
    )
    with op.batch_alter_table("channel_pushes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_channel_pushes_channel_user_id"), ["channel_user_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_channel_pushes_received_at"), ["received_at"], unique=False)
        batch_op.create_index(
            "ix_channel_pushes_passing", ["passing_at"], unique=False,
            sqlite_where=sa.text("passed_at IS NULL"), postgresql_where=sa.text("passed_at IS NULL"),
        )  # fmt: skip

    op.create_table(
        "channel_users",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("conversation_id", sa.String(length=36), nullable=False),
        sa.Column("customer_no", sa.String(length=12), nullable=True),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("followed", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_wrote_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("scene", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel_users")),
        sa.UniqueConstraint("channel", "user_id", name=op.f("uq_channel_users_channel")),
    )
    with op.batch_alter_table("channel_users", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_channel_users_conversation_id"), ["conversation_id"], unique=False)
        batch_op.create_index("ix_channel_users_customer", ["customer_no"], unique=False)

    op.create_table(
        "deliveries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("conversation_id", sa.String(length=36), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("channel_user_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("in_reply_to", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(length=200), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("way", sa.String(length=10), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("conversation_id", "seq", "channel_user_id", name=op.f("uq_deliveries_conversation_id")),
    )
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.create_index("ix_deliveries_due", ["state", "next_at"], unique=False)
        batch_op.create_index("ix_deliveries_user", ["channel_user_id", "state"], unique=False)
        batch_op.create_index("ix_deliveries_sent", ["channel_user_id", "sent_at"], unique=False)

    op.create_table(
        "hall_codes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("conversation_id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_by", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hall_codes")),
        sa.UniqueConstraint("code", name=op.f("uq_hall_codes_code")),
    )
    with op.batch_alter_table("hall_codes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_hall_codes_conversation_id"), ["conversation_id"], unique=False)

    op.create_table(
        "hall_papers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("scene", sa.String(length=64), nullable=False),
        sa.Column("business", sa.String(length=30), nullable=True),
        sa.Column("order_no", sa.String(length=20), nullable=True),
        sa.Column("order_conversation", sa.String(length=36), nullable=True),
        sa.Column("order_customer", sa.String(length=12), nullable=True),
        sa.Column("title", sa.String(length=60), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Integer(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("scanned_by", sa.Integer(), nullable=True),
        sa.Column("scanned_in", sa.String(length=36), nullable=True),
        sa.Column("scanned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("link", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hall_papers")),
        sa.UniqueConstraint("scene", name=op.f("uq_hall_papers_scene")),
    )
    with op.batch_alter_table("hall_papers", schema=None) as batch_op:
        batch_op.create_index("ix_hall_papers_order", ["order_no"], unique=False)

    op.create_table(
        "notice_choices",
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("wanted", sa.Boolean(), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("subject", "kind", name=op.f("pk_notice_choices")),
    )
    op.create_table(
        "notice_marks",
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_notice_marks")),
    )
    op.create_table(
        "send_windows",
        sa.Column("channel_user_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("left", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("channel_user_id", "kind", name=op.f("pk_send_windows")),
    )
    op.create_table(
        "sends",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("broadcast_id", sa.Integer(), nullable=False),
        sa.Column("recipient", sa.String(length=40), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("channel_user_id", sa.Integer(), nullable=True),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(length=200), nullable=True),
        sa.Column("remote_id", sa.String(length=40), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sends")),
        sa.UniqueConstraint("broadcast_id", "recipient", name=op.f("uq_sends_broadcast_id")),
    )
    with op.batch_alter_table("sends", schema=None) as batch_op:
        batch_op.create_index("ix_sends_due", ["broadcast_id", "state", "channel", "next_at", "id"], unique=False)
        batch_op.create_index("ix_sends_untold", ["recipient", "told_at"], unique=False)
        batch_op.create_index("ix_sends_user", ["channel_user_id", "broadcast_id"], unique=False)

    op.create_table(
        "used_nonces",
        sa.Column("signature", sa.String(length=64), nullable=False),
        sa.Column("external_id", sa.String(length=120), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("signature", name=op.f("pk_used_nonces")),
    )
    with op.batch_alter_table("used_nonces", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_used_nonces_at"), ["at"], unique=False)

    with op.batch_alter_table("bindings", schema=None) as batch_op:
        batch_op.add_column(sa.Column("owner_no", sa.String(length=12), nullable=True))
        batch_op.create_index("ix_bindings_owner", ["owner_no"], unique=False)
        batch_op.create_index("ix_bindings_account", ["account_no"], unique=False)

    with op.batch_alter_table("conversations", schema=None) as batch_op:
        batch_op.add_column(sa.Column("channel_user_id", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("joined_to", sa.String(length=36), nullable=True))
        batch_op.add_column(sa.Column("joined_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.create_index(batch_op.f("ix_conversations_channel_user_id"), ["channel_user_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_conversations_joined_to"), ["joined_to"], unique=False)

    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.add_column(sa.Column("dead_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("error", sa.String(length=200), nullable=True))


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_column("error")
        batch_op.drop_column("dead_at")

    with op.batch_alter_table("conversations", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_conversations_joined_to"))
        batch_op.drop_index(batch_op.f("ix_conversations_channel_user_id"))
        batch_op.drop_column("joined_at")
        batch_op.drop_column("joined_to")
        batch_op.drop_column("channel_user_id")

    with op.batch_alter_table("bindings", schema=None) as batch_op:
        batch_op.drop_index("ix_bindings_account")
        batch_op.drop_index("ix_bindings_owner")
        batch_op.drop_column("owner_no")

    with op.batch_alter_table("used_nonces", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_used_nonces_at"))

    op.drop_table("used_nonces")
    with op.batch_alter_table("sends", schema=None) as batch_op:
        batch_op.drop_index("ix_sends_user")
        batch_op.drop_index("ix_sends_untold")
        batch_op.drop_index("ix_sends_due")

    op.drop_table("sends")
    op.drop_table("send_windows")
    op.drop_table("notice_marks")
    op.drop_table("notice_choices")
    with op.batch_alter_table("hall_papers", schema=None) as batch_op:
        batch_op.drop_index("ix_hall_papers_order")

    op.drop_table("hall_papers")
    with op.batch_alter_table("hall_codes", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_hall_codes_conversation_id"))

    op.drop_table("hall_codes")
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.drop_index("ix_deliveries_user")
        batch_op.drop_index("ix_deliveries_due")

    op.drop_table("deliveries")
    with op.batch_alter_table("channel_users", schema=None) as batch_op:
        batch_op.drop_index("ix_channel_users_customer")
        batch_op.drop_index(batch_op.f("ix_channel_users_conversation_id"))

    op.drop_table("channel_users")
    with op.batch_alter_table("channel_pushes", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_channel_pushes_received_at"))
        batch_op.drop_index(batch_op.f("ix_channel_pushes_channel_user_id"))

    op.drop_table("channel_pushes")
    with op.batch_alter_table("broadcasts", schema=None) as batch_op:
        batch_op.drop_index("ix_broadcasts_state")

    op.drop_table("broadcasts")
