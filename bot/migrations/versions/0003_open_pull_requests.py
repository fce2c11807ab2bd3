"""An index of the pull requests that are watched now: the board asks for them every second, and most have ended."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create it."""
    op.execute("CREATE INDEX pull_requests_open_idx ON vigil.pull_requests (watched_at) WHERE outcome IS NULL")


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP INDEX vigil.pull_requests_open_idx")
