"""For whom an answer is written, and the parts that all resources share."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from instar.wire.rest import Link

API = "v1.0"


@dataclass(frozen=True)
class Viewer:
    """Who reads the answer, and the host name under which the door was reached."""

    host: str
    project: str
    is_admin: bool = False

    def links(self, collection: str, id_: str) -> list[Link]:
        """Make a resource's links; the scheme is https whatever the listener speaks, as clients expect."""
        return [
            Link(rel="self", href=f"https://{self.host}/{API}/{self.project}/{collection}/{id_}"),
            Link(rel="bookmark", href=f"https://{self.host}/{collection}/{id_}"),
        ]


def present(**fields: Any) -> dict[str, Any]:
    """Keep the fields that are there: in answers, absent means absent."""
    return {name: value for name, value in fields.items() if value is not None}


def timestamp(seconds: float | None) -> str | None:
    """Write a time as ISO 8601 in UTC, without zone or fraction; None stays None."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
