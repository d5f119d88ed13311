"""portraits, segments, recommendations, learning from questions, models"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "subscriptions",
        sa.Column("channel_user_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("template_id", sa.String(length=64), nullable=False),
        sa.Column("left", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("channel_user_id", "template_id", name=op.f("pk_subscriptions")),
    )
    with op.batch_alter_table("channel_users", schema=None) as batch_op:
        batch_op.add_column(sa.Column("trace", sa.String(length=8), nullable=True))
        batch_op.create_index(batch_op.f("ix_channel_users_trace"), ["trace"], unique=False)

    op.create_table(
        "call_backs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("handoff_id", sa.Integer(), nullable=False),
        sa.Column("conversation_id", sa.String(length=36), nullable=False),
        sa.Column("customer_no", sa.String(length=12), nullable=True),
        sa.Column("segment", sa.String(length=16), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("agent_id", sa.Integer(), nullable=True),
        sa.Column("done_by", sa.Integer(), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call_backs")),
        sa.UniqueConstraint("handoff_id", name=op.f("uq_call_backs_handoff_id")),
    )
    with op.batch_alter_table("call_backs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_call_backs_customer_no"), ["customer_no"], unique=False)
        batch_op.create_index("ix_call_backs_due", ["state", "due_at"], unique=False)

    op.create_table(
        "campaigns",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("segments", sa.JSON(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("audience", sa.Integer(), nullable=False),
        sa.Column("consenting", sa.Integer(), nullable=False),
        sa.Column("held_out", sa.Integer(), nullable=False),
        sa.Column("broadcast_id", sa.Integer(), nullable=True),
        sa.Column("created_by", sa.Integer(), nullable=True),
        sa.Column("approved_by", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaigns")),
        sa.UniqueConstraint("key", name=op.f("uq_campaigns_key")),
    )
    op.create_table(
        "customer_managers",
        sa.Column("customer_no", sa.String(length=12), nullable=False),
        sa.Column("agent_id", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("customer_no", name=op.f("pk_customer_managers")),
    )
    with op.batch_alter_table("customer_managers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_customer_managers_agent_id"), ["agent_id"], unique=False)

    op.create_table(
        "learned_faqs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("also", sa.JSON(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("region", sa.String(length=10), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=False),
        sa.Column("edited_by", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_learned_faqs")),
        sa.UniqueConstraint("key", name=op.f("uq_learned_faqs_key")),
    )
    op.create_table(
        "learning_groups",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("harm", sa.Double(), nullable=False),
        sa.Column("parts", sa.JSON(), nullable=False),
        sa.Column("example", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_learning_groups")),
    )
    with op.batch_alter_table("learning_groups", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_learning_groups_harm"), ["harm"], unique=False)

    op.create_table(
        "learning_items",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("conversation_id", sa.String(length=36), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("intent", sa.String(length=80), nullable=True),
        sa.Column("confidence", sa.Double(), nullable=True),
        sa.Column("suggested", sa.String(length=80), nullable=True),
        sa.Column("harm", sa.Double(), nullable=False),
        sa.Column("parts", sa.JSON(), nullable=False),
        sa.Column("group_id", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("label", sa.String(length=80), nullable=True),
        sa.Column("faq_id", sa.Integer(), nullable=True),
        sa.Column("reviewed_by", sa.Integer(), nullable=True),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("exported_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_learning_items")),
        sa.UniqueConstraint("conversation_id", "seq", name=op.f("uq_learning_items_conversation_id")),
    )
    with op.batch_alter_table("learning_items", schema=None) as batch_op:
        batch_op.create_index("ix_learning_items_at", ["at"], unique=False)
        batch_op.create_index("ix_learning_items_group", ["group_id", "state"], unique=False)

    op.create_table(
        "model_versions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("file", sa.String(length=120), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("trained_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("promoted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("learned", sa.JSON(), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("compared", sa.JSON(), nullable=False),
        sa.Column("asked_by", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_versions")),
        sa.UniqueConstraint("name", name=op.f("uq_model_versions_name")),
    )
    with op.batch_alter_table("model_versions", schema=None) as batch_op:
        batch_op.create_index("ix_model_versions_state", ["state"], unique=False)

    op.create_table(
        "portrait_events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_no", sa.String(length=13), nullable=False),
        sa.Column("customer_no", sa.String(length=12), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("cause", sa.String(length=80), nullable=False),
        sa.Column("segment", sa.String(length=16), nullable=True),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portrait_events")),
        sa.UniqueConstraint("cause", name=op.f("uq_portrait_events_cause")),
    )
    with op.batch_alter_table("portrait_events", schema=None) as batch_op:
        batch_op.create_index("ix_portrait_events_account", ["account_no", "at"], unique=False)
        batch_op.create_index(batch_op.f("ix_portrait_events_customer_no"), ["customer_no"], unique=False)

    op.create_table(
        "recommendation_refusals",
        sa.Column("subject", sa.String(length=48), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("subject", "kind", name=op.f("pk_recommendation_refusals")),
    )
    op.create_table(
        "recommendations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("customer_no", sa.String(length=12), nullable=False),
        sa.Column("account_no", sa.String(length=13), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("yuan", sa.Numeric(precision=18, scale=2), nullable=False),
        sa.Column("basis", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("segment", sa.String(length=16), nullable=True),
        sa.Column("conversation_id", sa.String(length=36), nullable=False),
        sa.Column("shown_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recommendations")),
        sa.UniqueConstraint("customer_no", "month", name=op.f("uq_recommendations_customer_no")),
    )
    with op.batch_alter_table("recommendations", schema=None) as batch_op:
        batch_op.create_index("ix_recommendations_account", ["account_no", "month"], unique=False)
        batch_op.create_index("ix_recommendations_talk", ["conversation_id"], unique=False)

    op.create_table(
        "segment_runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("stage", sa.String(length=20), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accounts", sa.Integer(), nullable=False),
        sa.Column("cursor", sa.Integer(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("model", sa.JSON(), nullable=False),
        sa.Column("clusters", sa.JSON(), nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("quality", sa.JSON(), nullable=False),
        sa.Column("drift", sa.JSON(), nullable=False),
        sa.Column("summary", sa.JSON(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_segment_runs")),
    )
    with op.batch_alter_table("segment_runs", schema=None) as batch_op:
        batch_op.create_index("ix_segment_runs_state", ["state"], unique=False)

    op.create_table(
        "portraits",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("account_no", sa.String(length=13), nullable=False),
        sa.Column("customer_no", sa.String(length=12), nullable=False),
        sa.Column("customer_kind", sa.String(length=12), nullable=False),
        sa.Column("district", sa.String(length=40), nullable=False),
        sa.Column("area_class", sa.String(length=8), nullable=False),
        sa.Column("user_class", sa.String(length=20), nullable=False),
        sa.Column("pay_channel", sa.String(length=8), nullable=True),
        sa.Column("history_months", sa.Integer(), nullable=False),
        sa.Column("thin", sa.String(length=8), nullable=True),
        sa.Column("cluster", sa.Integer(), nullable=True),
        sa.Column("segment", sa.String(length=16), nullable=True),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("kwh_year", sa.Double(), nullable=True),
        sa.Column("kwh_growth", sa.Double(), nullable=True),
        sa.Column("load_factor", sa.Double(), nullable=True),
        sa.Column("peak_share", sa.Double(), nullable=True),
        sa.Column("valley_share", sa.Double(), nullable=True),
        sa.Column("seasonality", sa.Double(), nullable=True),
        sa.Column("summer_index", sa.Double(), nullable=True),
        sa.Column("winter_index", sa.Double(), nullable=True),
        sa.Column("base_share", sa.Double(), nullable=True),
        sa.Column("volatility", sa.Double(), nullable=True),
        sa.Column("weekend_ratio", sa.Double(), nullable=True),
        sa.Column("idle_share", sa.Double(), nullable=True),
        sa.Column("tier_months", sa.Double(), nullable=True),
        sa.Column("demand_use", sa.Double(), nullable=True),
        sa.Column("capacity_kva", sa.Double(), nullable=True),
        sa.Column("fee_year", sa.Double(), nullable=True),
        sa.Column("price_mean", sa.Double(), nullable=True),
        sa.Column("prepaid", sa.Double(), nullable=True),
        sa.Column("online_share", sa.Double(), nullable=True),
        sa.Column("payments_year", sa.Double(), nullable=True),
        sa.Column("price_response", sa.Double(), nullable=True),
        sa.Column("contacts_year", sa.Double(), nullable=True),
        sa.Column("contacts_billing", sa.Double(), nullable=True),
        sa.Column("contacts_outage", sa.Double(), nullable=True),
        sa.Column("contacts_business", sa.Double(), nullable=True),
        sa.Column("contacts_saving", sa.Double(), nullable=True),
        sa.Column("person_share", sa.Double(), nullable=True),
        sa.Column("complaints_year", sa.Double(), nullable=True),
        sa.Column("outage_reports_year", sa.Double(), nullable=True),
        sa.Column("outage_sensitivity", sa.Double(), nullable=True),
        sa.Column("applications_year", sa.Double(), nullable=True),
        sa.Column("has_pv", sa.Double(), nullable=True),
        sa.Column("has_ev", sa.Double(), nullable=True),
        sa.Column("large_family", sa.Double(), nullable=True),
        sa.Column("low_income", sa.Double(), nullable=True),
        sa.Column("special_need", sa.Double(), nullable=True),
        sa.Column("on_time_rate", sa.Double(), nullable=True),
        sa.Column("late_count", sa.Double(), nullable=True),
        sa.Column("days_late_mean", sa.Double(), nullable=True),
        sa.Column("days_late_max", sa.Double(), nullable=True),
        sa.Column("overdue_yuan", sa.Double(), nullable=True),
        sa.Column("overdue_days", sa.Double(), nullable=True),
        sa.Column("sudden_drop", sa.Double(), nullable=True),
        sa.Column("violations", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["segment_runs.id"], name=op.f("fk_portraits_run_id")),
        sa.PrimaryKeyConstraint("run_id", "account_id", name=op.f("pk_portraits")),
    )
    with op.batch_alter_table("portraits", schema=None) as batch_op:
        batch_op.create_index("ix_portraits_account", ["account_no", "run_id"], unique=False)
        batch_op.create_index("ix_portraits_customer", ["customer_no", "run_id"], unique=False)
        batch_op.create_index("ix_portraits_segment", ["run_id", "segment"], unique=False)


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("portraits", schema=None) as batch_op:
        batch_op.drop_index("ix_portraits_segment")
        batch_op.drop_index("ix_portraits_customer")
        batch_op.drop_index("ix_portraits_account")

    op.drop_table("portraits")
    with op.batch_alter_table("segment_runs", schema=None) as batch_op:
        batch_op.drop_index("ix_segment_runs_state")

    op.drop_table("segment_runs")
    with op.batch_alter_table("recommendations", schema=None) as batch_op:
        batch_op.drop_index("ix_recommendations_talk")
        batch_op.drop_index("ix_recommendations_account")

    op.drop_table("recommendations")
    op.drop_table("recommendation_refusals")
    with op.batch_alter_table("portrait_events", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_portrait_events_customer_no"))
        batch_op.drop_index("ix_portrait_events_account")

    op.drop_table("portrait_events")
    with op.batch_alter_table("model_versions", schema=None) as batch_op:
        batch_op.drop_index("ix_model_versions_state")

    op.drop_table("model_versions")
    with op.batch_alter_table("learning_items", schema=None) as batch_op:
        batch_op.drop_index("ix_learning_items_group")
        batch_op.drop_index("ix_learning_items_at")

    op.drop_table("learning_items")
    with op.batch_alter_table("learning_groups", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_learning_groups_harm"))

    op.drop_table("learning_groups")
    op.drop_table("learned_faqs")
    with op.batch_alter_table("customer_managers", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_customer_managers_agent_id"))

    op.drop_table("customer_managers")
    op.drop_table("campaigns")
    with op.batch_alter_table("call_backs", schema=None) as batch_op:
        batch_op.drop_index("ix_call_backs_due")
        batch_op.drop_index(batch_op.f("ix_call_backs_customer_no"))

    op.drop_table("call_backs")
    with op.batch_alter_table("channel_users", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_channel_users_trace"))
        batch_op.drop_column("trace")

    op.drop_table("subscriptions")
