"""Server-sent events, as far as the control plane sends them."""

from collections.abc import Iterable, Iterator

import pydantic
import requests
import urllib3

from instar.wire.events import EventView

_MOST = 1 << 16


def lines(response: requests.Response) -> Iterator[bytes]:
    """Give the lines of a stream as soon as they are there. Raises RequestException when it breaks."""
    begun = b""
    try:
        while chunk := response.raw.read1(_MOST):
            *whole, begun = (begun + chunk).split(b"\n")
            yield from (line.removesuffix(b"\r") for line in whole)
    except urllib3.exceptions.HTTPError as error:
        raise requests.ConnectionError(error) from error


def parse(lines: Iterable[bytes]) -> Iterator[EventView | None]:
    """Read events from the lines of a stream; None for each comment, which says that the line is alive.

    What is not an event of ours is passed over: newer control planes may send more.
    """
    data: list[bytes] = []
    for line in lines:
        if line.startswith(b":"):
            yield None
        elif line.startswith(b"data:"):
            data.append(line.removeprefix(b"data:").removeprefix(b" "))
        elif not line and data:
            if (event := _event(b"\n".join(data))) is not None:
                yield event
            data = []


def is_last(event: EventView) -> bool:
    """Tell whether an event says that its operation has ended."""
    return event.kind.endswith((".end", ".error"))


def _event(data: bytes) -> EventView | None:
    try:
        return EventView.model_validate_json(data)
    except pydantic.ValidationError:
        return None
