"""What holds for every request alike: request ids, slashes, version negotiation, NUL characters."""

import re
from typing import Any

import falcon

from instar.wire.errors import BadRequest
from instar.wire.ids import is_id, new_id

REQUEST_ID = "X-Openstack-Request-Id"
_VERSION = re.compile(r"application/vnd\.openstack\.trove\+json\s*;\s*version=([^\s;,]+)", re.IGNORECASE)


class Transport:
    """Falcon middleware; runs before routing."""

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Name the request, tidy its path, refuse what no handler should see."""
        req.context.request_id = _request_id(req.get_header(REQUEST_ID) or "")
        resp.set_header(REQUEST_ID, req.context.request_id)
        req.path = re.sub("/{2,}", "/", req.path)
        if "\0" in req.path or "%00" in req.query_string:
            raise BadRequest("The URL holds a NUL character")
        for version in _VERSION.findall(req.get_header("Accept") or ""):
            if version != "1.0":
                raise falcon.HTTPNotAcceptable(description=f"Version {version} is not spoken here; 1.0 is.")

    def process_response(
        self, _req: falcon.Request, resp: falcon.Response, _resource: Any, _succeeded: bool
    ) -> None:
        """Answers must not be kept by caches: they tell of things that change."""
        resp.set_header("Cache-Control", "no-store")


def _request_id(given: str) -> str:
    """Take over a request id that looks like one, so that a caller's log and ours can be matched."""
    return given if given.startswith("req-") and is_id(given[4:]) else f"req-{new_id()}"
