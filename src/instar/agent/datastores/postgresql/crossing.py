"""A note on the volume: which major version the data files were converted from, how, and who has been in.

It is there before a converted directory gets its name, and says that clients are let in before they are. By
it an old image knows whether its own data files are still whole, and whether they lack what clients wrote.
"""

from pydantic import BaseModel, ValidationError

from instar.agent import durable
from instar.agent.datastores.postgresql.layout import Layout

_NOTE = "crossing.json"


class Crossing(BaseModel):
    """The last conversion."""

    before: int
    after: int
    method: str
    let_in: bool = False


def read(layout: Layout) -> Crossing | None:
    """Give the last conversion; None when none is known."""
    try:
        return Crossing.model_validate_json((layout.state / _NOTE).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def begins(layout: Layout, before: int, method: str) -> None:
    """Note that a conversion to this image's major version gets its name next."""
    _write(layout, Crossing(before=before, after=layout.major, method=method))


def lets_in(layout: Layout) -> None:
    """Note, where data files were converted to this image's version, that clients are let in next."""
    last = read(layout)
    if last is not None and last.after == layout.major and not last.let_in:
        _write(layout, last.model_copy(update={"let_in": True}))


def _write(layout: Layout, crossing: Crossing) -> None:
    layout.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    durable.write(layout.state / _NOTE, crossing.model_dump_json())
