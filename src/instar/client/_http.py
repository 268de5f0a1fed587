"""The one way to the control plane: paths in, answers or errors out."""

import logging
import time
from collections.abc import Iterator
from typing import Any, TypeVar
from urllib.parse import parse_qs, quote, urlsplit

import pydantic
import requests
from keystoneauth1 import adapter
from keystoneauth1 import exceptions as keystone

from instar.client import _answers
from instar.client.errors import BadRequest, ConnectionFailed, Unauthorized
from instar.wire.rest import Link

Model = TypeVar("Model", bound=pydantic.BaseModel)

OPERATION = "X-Instar-Operation"
"""Response header that names the operation a request has started."""
PAGE = 100
_TIMEOUT = (10, 60)
_LOG = logging.getLogger(__name__)


def segment(name: str) -> str:
    """Quote a name as one segment of a path. Raises BadRequest for one that would name another path."""
    if name.strip(".") == "":
        raise BadRequest(f"{name!r} is not a name")
    return quote(name, safe="")


class Http:
    """A keystoneauth adapter whose failures are this project's errors; `source` says whence the token came.

    Bodies are never logged: they hold passwords.
    """

    def __init__(self, channel: adapter.Adapter, endpoint: str, source: str) -> None:
        self._channel = channel
        self._endpoint = endpoint
        self._source = source

    def get(self, path: str, model: type[Model], **params: Any) -> Model:
        """Read `path` as `model`."""
        return _answers.parse(model, self.request("GET", path, params=params))

    def request(
        self,
        method: str,
        path: str,
        *,
        timeout: tuple[float, float] = _TIMEOUT,
        **kwargs: Any,
    ) -> requests.Response:
        """Send one request; `timeout` is for connecting and for each read, in seconds.

        Raises the error that the answer tells of, ConnectionFailed when there is none.
        """
        began = time.monotonic()
        try:
            response: requests.Response = self._channel.request(
                path, method, raise_exc=False, log=False, timeout=timeout, **kwargs
            )
        except keystone.Unauthorized as error:
            raise Unauthorized("Keystone refused the credentials", seen=str(error)) from error
        except keystone.ConnectionError as error:
            raise self._unreachable(error) from error
        except keystone.ClientException as error:
            raise ConnectionFailed(f"{self._endpoint}: no way to it", seen=str(error)) from error
        _LOG.debug("%s %s -> %s in %.3f s", method, path, response.status_code, time.monotonic() - began)
        if response.status_code >= 400:
            raise _answers.failure(response, self._source)
        return response

    def pages(
        self, path: str, model: type[Model], limit: int | None = None, marker: str | None = None
    ) -> Iterator[Model]:
        """Read a list page by page, until `limit` items were asked for or there are no more."""
        left = limit
        while left is None or left > 0:
            size = PAGE if left is None else min(PAGE, left)
            page = self.get(path, model, limit=size, **({"marker": marker} if marker else {}))
            yield page
            left = None if left is None else left - size
            marker = _next_marker(getattr(page, "links", None) or [])
            if marker is None:
                return

    def _unreachable(self, error: Exception) -> ConnectionFailed:
        return ConnectionFailed(
            f"Nothing answers at {self._endpoint}",
            seen=type(error).__name__,
            remedy="Is `instar serve` running? Is the endpoint right?",
            retryable=True,
        )


def _next_marker(links: list[Link]) -> str | None:
    for link in links:
        if link.rel == "next":
            return parse_qs(urlsplit(link.href).query).get("marker", [None])[0]
    return None
