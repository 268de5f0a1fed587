"""Pages of lists: `limit` and `marker` in, a `next` link out when there is another page."""

from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar
from urllib.parse import urlencode

from pydantic import BaseModel, Field

from instar.control.api.call import Call
from instar.control.api.views.viewer import API
from instar.wire.errors import BadRequest
from instar.wire.rest import Link

DEFAULT = 20
LARGEST = 1000

Item = TypeVar("Item")
Answer = TypeVar("Answer", bound=BaseModel)


class Page(BaseModel):
    """Query of a list. A limit of 0 means the default; one above the largest page gives that."""

    limit: Annotated[int, Field(ge=0, le=2**31)] = DEFAULT
    marker: Annotated[str, Field(max_length=512)] | None = None

    @property
    def size(self) -> int:
        """How many items the page holds at most."""
        return min(self.limit or DEFAULT, LARGEST)


def cut(
    call: Call, path: str, items: Sequence[Item], key: Callable[[Item], str], **also: str
) -> tuple[Sequence[Item], list[Link] | None]:
    """Cut a list that may be one longer than the page, and link to the next page when it was.

    `path` is the list's path below the project, `key` an item's marker, `also` what else the query said.
    """
    size = call.query.size
    if len(items) <= size:
        return items, None
    query = urlencode({"marker": key(items[size - 1]), "limit": size, **also})
    href = f"https://{call.viewer.host}/{API}/{call.viewer.project}/{path}?{query}"
    return items[:size], [Link(rel="next", href=href)]


def behind(call: Call, items: Sequence[Item], key: Callable[[Item], str]) -> Sequence[Item]:
    """Leave out what lies up to and including the marker. Raises BadRequest when it names nothing."""
    marker = call.query.marker
    if marker is None:
        return items
    at = [index for index, item in enumerate(items) if key(item) == marker]
    if not at:
        raise bad_marker(marker)
    return items[at[0] + 1 :]


def bad_marker(marker: str) -> BadRequest:
    """Make the error for a marker that names nothing in the list."""
    return BadRequest(
        "marker: names nothing in this list", seen=marker, remedy="Begin again without a marker"
    )


def linked(answer: Answer, links: list[Link] | None) -> Answer:
    """Put the link to the next page on a list's answer; on the last page `links` is absent."""
    return answer.model_copy(update={"links": links}) if links else answer
