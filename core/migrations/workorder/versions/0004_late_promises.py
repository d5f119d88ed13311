"""promises by when they are due"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_index("ix_promises_due", "promises", ["kept_at", "moved_to", "due_at"])


def downgrade() -> None:
    """Take back."""
    op.drop_index("ix_promises_due", "promises")
