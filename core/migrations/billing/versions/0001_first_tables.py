"""first tables"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "customers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("customer_no", sa.String(length=12), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("name_cipher", sa.String(length=400), nullable=False),
        sa.Column("phone_cipher", sa.String(length=200), nullable=False),
        sa.Column("phone_hash", sa.String(length=64), nullable=False),
        sa.Column("certificate_cipher", sa.String(length=200), nullable=True),
        sa.Column("certificate_hash", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customers")),
        sa.UniqueConstraint("customer_no", name=op.f("uq_customers_customer_no")),
    )
    with op.batch_alter_table("customers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_customers_certificate_hash"), ["certificate_hash"], unique=False)
        batch_op.create_index(batch_op.f("ix_customers_phone_hash"), ["phone_hash"], unique=False)

    op.create_table(
        "feeds",
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_feeds")),
    )
    op.create_table(
        "accounts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_no", sa.String(length=13), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("address_cipher", sa.String(length=600), nullable=False),
        sa.Column("district", sa.String(length=40), nullable=False),
        sa.Column("area_class", sa.String(length=8), nullable=False),
        sa.Column("region", sa.String(length=20), nullable=False),
        sa.Column("user_class", sa.String(length=20), nullable=False),
        sa.Column("plan_code", sa.String(length=60), nullable=False),
        sa.Column("profile", sa.String(length=24), nullable=False),
        sa.Column("prepaid", sa.Boolean(), nullable=False),
        sa.Column("capacity_kva", sa.Numeric(18, 2), nullable=True),
        sa.Column("large_family_kwh", sa.Numeric(18, 2), nullable=False),
        sa.Column("free_kwh", sa.Numeric(18, 2), nullable=False),
        sa.Column("opened_on", sa.Date(), nullable=False),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.CheckConstraint("length(account_no) in (10, 13)", name=op.f("ck_accounts_account_no_digits")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_accounts_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("account_no", name=op.f("uq_accounts_account_no")),
    )
    with op.batch_alter_table("accounts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_accounts_customer_id"), ["customer_id"], unique=False)

    op.create_table(
        "bills",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("period_first", sa.Date(), nullable=False),
        sa.Column("period_last", sa.Date(), nullable=False),
        sa.Column("kwh", sa.Numeric(18, 2), nullable=False),
        sa.Column("sharp_kwh", sa.Numeric(18, 2), nullable=False),
        sa.Column("peak_kwh", sa.Numeric(18, 2), nullable=False),
        sa.Column("flat_kwh", sa.Numeric(18, 2), nullable=False),
        sa.Column("valley_kwh", sa.Numeric(18, 2), nullable=False),
        sa.Column("cum_before", sa.Numeric(18, 2), nullable=True),
        sa.Column("demand_kw", sa.Numeric(18, 2), nullable=True),
        sa.Column("kvarh", sa.Numeric(18, 2), nullable=True),
        sa.Column("plan_code", sa.String(length=60), nullable=False),
        sa.Column("estimated", sa.Boolean(), nullable=False),
        sa.Column("amount", sa.Numeric(18, 2), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_bills_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bills")),
        sa.UniqueConstraint("account_id", "month", name=op.f("uq_bills_account_id")),
    )
    op.create_table(
        "meters",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("meter_no", sa.String(length=22), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("multiplier", sa.Integer(), nullable=False),
        sa.Column("phases", sa.Integer(), nullable=False),
        sa.Column("installed_on", sa.Date(), nullable=False),
        sa.Column("removed_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_meters_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_meters")),
        sa.UniqueConstraint("meter_no", name=op.f("uq_meters_meter_no")),
    )
    with op.batch_alter_table("meters", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_meters_account_id"), ["account_id"], unique=False)

    op.create_table(
        "bill_lines",
        sa.Column("bill_id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column("tier", sa.Integer(), nullable=True),
        sa.Column("period", sa.String(length=8), nullable=True),
        sa.Column("quantity", sa.Numeric(18, 4), nullable=False),
        sa.Column("unit", sa.String(length=4), nullable=False),
        sa.Column("unit_price", sa.Numeric(18, 6), nullable=False),
        sa.Column("amount", sa.Numeric(18, 2), nullable=False),
        sa.ForeignKeyConstraint(["bill_id"], ["bills.id"], name=op.f("fk_bill_lines_bill_id")),
        sa.PrimaryKeyConstraint("bill_id", "seq", name=op.f("pk_bill_lines")),
    )
    op.create_table(
        "daily_readings",
        sa.Column("meter_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("sharp", sa.Numeric(18, 2), nullable=False),
        sa.Column("peak", sa.Numeric(18, 2), nullable=False),
        sa.Column("flat", sa.Numeric(18, 2), nullable=False),
        sa.Column("valley", sa.Numeric(18, 2), nullable=False),
        sa.Column("quality", sa.String(length=10), nullable=False),
        sa.ForeignKeyConstraint(["meter_id"], ["meters.id"], name=op.f("fk_daily_readings_meter_id")),
        sa.PrimaryKeyConstraint("meter_id", "day", name=op.f("pk_daily_readings")),
    )
    with op.batch_alter_table("daily_readings", schema=None) as batch_op:
        batch_op.create_index("ix_daily_readings_day", ["day"], unique=False)

    op.create_table(
        "payments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(length=24), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("bill_id", sa.Integer(), nullable=True),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("amount", sa.Numeric(18, 2), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_payments_account_id")),
        sa.ForeignKeyConstraint(["bill_id"], ["bills.id"], name=op.f("fk_payments_bill_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments")),
        sa.UniqueConstraint("reference", name=op.f("uq_payments_reference")),
    )
    with op.batch_alter_table("payments", schema=None) as batch_op:
        batch_op.create_index("ix_payments_account_paid", ["account_id", "paid_at"], unique=False)


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("payments", schema=None) as batch_op:
        batch_op.drop_index("ix_payments_account_paid")

    op.drop_table("payments")
    with op.batch_alter_table("daily_readings", schema=None) as batch_op:
        batch_op.drop_index("ix_daily_readings_day")

    op.drop_table("daily_readings")
    op.drop_table("bill_lines")
    with op.batch_alter_table("meters", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_meters_account_id"))

    op.drop_table("meters")
    op.drop_table("bills")
    with op.batch_alter_table("accounts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_accounts_customer_id"))

    op.drop_table("accounts")
    op.drop_table("feeds")
    with op.batch_alter_table("customers", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_customers_phone_hash"))
        batch_op.drop_index(batch_op.f("ix_customers_certificate_hash"))

    op.drop_table("customers")
