"""Indexes for the list of all projects' instances, and for whose turn it is to be asked"""

from collections.abc import Sequence

from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_index("instances_of_all", "instances", ["deleted", "created", "id"])
    op.create_index("instances_to_ask", "instances", ["deleted", "next_check"])
    op.drop_index("ix_instances_next_check", "instances")


def downgrade() -> None:
    op.create_index("ix_instances_next_check", "instances", ["next_check"])
    op.drop_index("instances_to_ask", "instances")
    op.drop_index("instances_of_all", "instances")
