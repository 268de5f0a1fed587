"""The door as a WSGI application."""

import functools
from collections.abc import Callable
from typing import Any

import falcon

import instar
from instar.control.api import openapi, problems
from instar.control.api.call import Call
from instar.control.api.policies import Gate
from instar.control.api.routes import ROUTES
from instar.control.api.routing import Access, Door, Route
from instar.control.api.transport import Transport
from instar.control.api.unbuilt import UNBUILT
from instar.control.operations.desk import Desk


def make_app(
    desk: Desk, gate: Gate, *, stopping: Callable[[], bool] = lambda: False
) -> "falcon.App[falcon.Request, falcon.Response]":
    """Make the WSGI application.

    It believes the identity headers it is given: put `tokens.StaticTokens` or `keystone.protect` in front.
    `stopping` ends the event streams when the server shuts down.
    """
    app = falcon.App(middleware=[Transport()])
    app.req_options.strip_url_path_trailing_slash = True
    app.resp_options.default_media_type = falcon.MEDIA_JSON
    problems.install(app)
    Door(desk, gate, stopping).install(app, [*ROUTES, *UNBUILT, _DESCRIPTION])
    return app


@functools.cache
def _document() -> dict[str, Any]:
    return openapi.describe(ROUTES, instar.__version__)


def _describe(_call: Call) -> dict[str, Any]:
    """Describe the API in OpenAPI 3.1."""
    return _document()


_DESCRIPTION = Route("GET", "/openapi.json", _describe, access=Access.PUBLIC)
