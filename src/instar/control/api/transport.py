"""What holds for every request alike: slashes, version negotiation, NULs, caches, a log line."""

import logging
import re
from typing import Any

import falcon

from instar.wire.errors import BadRequest

LOG = logging.getLogger(__name__)
_VERSION = re.compile(r"application/vnd\.openstack\.trove\+json\s*;\s*version=([^\s;,]+)", re.IGNORECASE)


class Transport:
    """Falcon middleware; runs before routing."""

    def process_request(self, req: falcon.Request, _resp: falcon.Response) -> None:
        """Tidy the request's path, refuse what no handler should see."""
        req.path = re.sub("/{2,}", "/", req.path)
        if "\0" in req.path or "%00" in req.query_string:
            raise BadRequest("The URL holds a NUL character")
        for version in _VERSION.findall(req.get_header("Accept") or ""):
            if version != "1.0":
                raise falcon.HTTPNotAcceptable(description=f"Version {version} is not spoken here; 1.0 is.")

    def process_response(
        self, req: falcon.Request, resp: falcon.Response, _resource: Any, _succeeded: bool
    ) -> None:
        """Log requests that ask for a change; keep answers out of caches: they tell of what changes."""
        resp.set_header("Cache-Control", "no-store")
        level = logging.DEBUG if req.method in ("GET", "HEAD") else logging.INFO
        LOG.log(level, "%s %s answered %s", req.method, req.path, resp.status_code)
