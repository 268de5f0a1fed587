"""Names every request, before anything else sees it: in its answer, in the log, in what it sets off."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from oslo_context.context import RequestContext

from instar.wire.ids import is_id, new_id

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

KEY = "instar.request_id"
"""Where the WSGI environment has it."""
HEADER = "X-Openstack-Request-Id"


class RequestIds:
    """WSGI middleware in front of all others: what authentication itself answers is named, too."""

    def __init__(self, app: "WSGIApplication") -> None:
        self._app = app

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Put the id into the environment, the answer's headers and the log lines of this thread."""
        request_id = _request_id(environ.get("HTTP_X_OPENSTACK_REQUEST_ID", ""))
        RequestContext(request_id=request_id)

        def start(status: str, headers: list[tuple[str, str]], *failed: Any) -> Any:
            return start_response(status, [*headers, (HEADER, request_id)], *failed)

        return self._app({**environ, KEY: request_id}, start)


def _request_id(given: str) -> str:
    """Take over a request id that looks like one, so that a caller's log and ours can be matched."""
    return given if given.startswith("req-") and is_id(given[4:]) else f"req-{new_id()}"
