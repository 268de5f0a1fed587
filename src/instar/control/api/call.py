"""What a handler is given: who asks, for what, and the desk to work at."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from instar.control.api.views.viewer import Viewer
from instar.control.operations.desk import Caller, Desk, Submitted


@dataclass(frozen=True)
class Call:
    """A request that was parsed and authorised.

    `path` holds the path's variables, `query` the route's query model. `headers` is for what the answer's
    headers are to say. `authorise` asks the policy for what the route's own rule doesn't cover.
    """

    desk: Desk
    caller: Caller
    viewer: Viewer
    path: Mapping[str, str]
    query: Any
    authorise: Callable[[str], None]
    stopping: Callable[[], bool]
    last_event: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def accepted(self, submitted: Submitted) -> None:
        """Name the accepted operation in the answer's headers; the body of a 202 stays empty."""
        self.headers["X-Instar-Operation"] = submitted.operation_id
