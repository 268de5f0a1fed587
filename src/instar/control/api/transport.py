"""What holds for every request alike: slashes, version negotiation, NUL characters, caches."""

import re
from typing import Any

import falcon

from instar.wire.errors import BadRequest

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
        self, _req: falcon.Request, resp: falcon.Response, _resource: Any, _succeeded: bool
    ) -> None:
        """Answers must not be kept by caches: they tell of things that change."""
        resp.set_header("Cache-Control", "no-store")
