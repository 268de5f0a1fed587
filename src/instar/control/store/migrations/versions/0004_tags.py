"""A version has an image or tags: tags of versions that had both never meant anything"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_VERSIONS = sa.table("datastore_versions", sa.column("image", sa.String), sa.column("image_tags", sa.JSON))


def upgrade() -> None:
    op.execute(_VERSIONS.update().where(_VERSIONS.c.image.is_not(None)).values(image_tags=[]))


def downgrade() -> None:
    pass
