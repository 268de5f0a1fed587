"""What a version's tags stand for, asked before a transaction begins: a cloud may take its time to answer,
and whoever else wants to write would wait for it.
"""

from collections.abc import Callable, Sequence

from sqlalchemy.orm import Session

from instar.control.catalog.versions import Newest
from instar.control.operations.desk import Desk
from instar.control.store.tables import DatastoreVersion
from instar.wire.errors import Busy


def unasked(wanted: Sequence[str]) -> str | None:
    """Stand for no image, where one was named."""
    return None


def resolve(desk: Desk, find: Callable[[Session], DatastoreVersion]) -> Newest:
    """Ask for the image that the tags of the version stand for which `find` finds, if it has any.

    What is given answers for these tags only: Busy for others, which somebody has set meanwhile.
    """
    with desk.store.read() as session:
        tags = find(session).image_tags
    image = desk.newest_image(tags) if tags else None

    def newest(wanted: Sequence[str]) -> str | None:
        if wanted != tags:
            raise Busy("The version's image tags were changed just now", remedy="Try again.", retryable=True)
        return image

    return newest
