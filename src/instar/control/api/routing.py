"""A route as data, and what every request goes through on its way to a handler and back."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from types import SimpleNamespace
from typing import Any

import falcon
from oslo_context.context import RequestContext
from pydantic import BaseModel

from instar.control.api import bodies
from instar.control.api.auth import Identity, identify
from instar.control.api.call import Call
from instar.control.api.policies import Gate
from instar.control.api.request_ids import KEY as REQUEST_ID
from instar.control.api.views.viewer import API, Viewer
from instar.control.operations.desk import Caller, Desk
from instar.wire.errors import Forbidden, Unauthorized

EVENT_STREAM = "text/event-stream"


class Access(Enum):
    """Who comes through to a route's handler."""

    PUBLIC = "public"
    """Everybody, without a token."""
    PROJECT = "project"
    """A token of the project in the path that the route's policy lets pass."""
    ADMIN = "admin"
    """Such a token of an administrator."""


@dataclass(frozen=True)
class Route:
    """One verb on one path, which is below the project except for what is public.

    The handler gets the call, and the body when there is a `request` model; it gives an `answer` (or its
    plain data), an iterator of bytes (an event stream), or None. An answer that is a `later` goes out with
    202: what was asked for is still being made. Without a `policy`, `access` decides, or the handler asks.
    """

    method: str
    path: str
    handler: Callable[..., BaseModel | dict[str, Any] | Iterable[bytes] | None]
    policy: str | None = None
    status: int = 200
    request: type[BaseModel] | None = None
    answer: type[BaseModel] | None = None
    later: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    access: Access = Access.PROJECT
    media: str = falcon.MEDIA_JSON

    @property
    def template(self) -> str:
        """The whole path, with the variables in braces."""
        return self.path if self.access is Access.PUBLIC else f"/{API}/{{project}}{self.path}"


@dataclass(frozen=True)
class Door:
    """What all routes share."""

    desk: Desk
    gate: Gate
    stopping: Callable[[], bool]

    def install(self, app: falcon.App[Any, Any], routes: Iterable[Route]) -> None:
        """Put the routes on the app, one resource for each path."""
        resources: dict[str, SimpleNamespace] = {}
        for route in routes:
            resource = resources.setdefault(route.template, SimpleNamespace())
            responder = self._responder(route)
            setattr(resource, f"on_{route.method.lower()}", responder)
            if route.method == "GET" and route.media == falcon.MEDIA_JSON:  # nothing would close a stream
                resource.on_head = responder
        for template, resource in resources.items():
            app.add_route(template, resource)

    def _responder(self, route: Route) -> Callable[..., None]:
        def respond(req: falcon.Request, resp: falcon.Response, **path: str) -> None:
            call = self._admit(route, req, path)
            body = [bodies.read(req, route.request)] if route.request else []
            answer = route.handler(call, *body)
            is_later = route.later is not None and isinstance(answer, route.later)
            resp.status = falcon.code_to_http_status(202 if is_later else route.status)
            resp.set_headers(call.headers)
            _write(resp, route, answer)

        return respond

    def _admit(self, route: Route, req: falcon.Request, path: dict[str, str]) -> Call:
        """Identify, authorise and parse, in this order."""
        public = route.access is Access.PUBLIC
        identity = Identity(project="", user="") if public else identify(req)
        is_admin = not public and self.gate.is_admin(identity)
        if not public:
            _check_project(identity, path.pop("project"))
        request_id = req.env[REQUEST_ID]
        RequestContext(request_id=request_id, user_id=identity.user, project_id=identity.project)
        if route.access is Access.ADMIN and not is_admin:
            raise Unauthorized("User does not have admin privileges")
        if route.policy:
            self.gate.authorise(route.policy, identity)
        return Call(
            desk=self.desk,
            caller=Caller(identity.project, identity.user, is_admin, request_id),
            viewer=Viewer(req.netloc, identity.project, is_admin),
            path=path,
            query=bodies.query(req, route.query) if route.query else None,
            authorise=lambda rule: self.gate.authorise(rule, identity),
            stopping=self.stopping,
            last_event=req.get_header("Last-Event-ID"),
        )


def _check_project(identity: Identity, project: str) -> None:
    if identity.project != project:
        raise Forbidden(f"User with tenant id {identity.project} cannot access this resource")


def _write(
    resp: falcon.Response, route: Route, answer: BaseModel | dict[str, Any] | Iterable[bytes] | None
) -> None:
    if route.status == 204:  # neither a body nor a type
        return
    match answer:
        case None:
            resp.data = b""
        case BaseModel():
            resp.data = answer.model_dump_json(exclude_unset=True, by_alias=True).encode()
        case dict():
            resp.media = answer
        case _:
            resp.stream = answer
    resp.content_type = route.media
