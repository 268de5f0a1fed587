"""The guest API over HTTPS: one table of routes, JSON in, JSON out, every error an `ErrorBody`."""

import http
import json
import logging
import re
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote

from cheroot import wsgi
from pydantic import BaseModel

from instar.agent import hooks, tls
from instar.agent.datastores.base import Datastore
from instar.agent.jobs import Jobs, first_line
from instar.wire.agent import AgentInfo, JobStart
from instar.wire.errors import (
    BadRequest,
    GuestError,
    InstarError,
    MethodNotAllowed,
    NotFound,
    OverLimit,
    UnsupportedMedia,
)

LARGEST_BODY = 1 << 20
THREADS = 16

Environ = dict[str, Any]
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Api:
    """What the routes answer from."""

    info: AgentInfo
    datastore: Datastore
    jobs: Jobs

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request; the WSGI entry."""
        status, answer = self._answer(environ)
        body = json.dumps(answer).encode()
        reason = http.HTTPStatus(status).phrase
        start_response(
            f"{status} {reason}", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        )
        return [body]

    def _answer(self, environ: Environ) -> tuple[int, Any]:
        try:
            tls.admit(environ[tls.PEER]())
            answer = self._route(environ)
            return 200, answer.model_dump(mode="json") if isinstance(answer, BaseModel) else answer
        except InstarError as error:
            return error.status, error.body.model_dump(mode="json")
        except Exception as error:  # noqa: BLE001 - the door: an answer, never a traceback
            _log.exception("request failed unexpectedly")
            internal = InstarError("The agent failed unexpectedly", seen=first_line(error))
            return internal.status, internal.body.model_dump(mode="json")

    def _route(self, environ: Environ) -> Any:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        allowed = []
        for verb, pattern, handler in ROUTES:
            if found := re.fullmatch(pattern, path):
                if verb == method:
                    return handler(self, environ, *map(unquote, found.groups()))
                allowed.append(verb)
        if allowed:
            raise MethodNotAllowed(f"{path} does not take {method}", remedy=f"It takes {', '.join(allowed)}.")
        raise NotFound(f"There is no {path}")


def _info(api: Api, environ: Environ) -> Any:
    return api.info


def _status(api: Api, environ: Environ) -> Any:
    return api.datastore.status()


def _start_job(api: Api, environ: Environ, job_id: str) -> Any:
    return api.jobs.start(job_id, hooks.parse(JobStart, _body(environ)))


def _show_job(api: Api, environ: Environ, job_id: str) -> Any:
    return api.jobs.view(job_id, _seconds(environ, "wait"))


def _call(api: Api, environ: Environ, hook: str) -> Any:
    return hooks.call(api.datastore, hook, _body(environ))


ROUTES: tuple[tuple[str, str, Callable[..., Any]], ...] = (
    ("GET", r"/", _info),
    ("GET", r"/status", _status),
    ("PUT", r"/jobs/([^/]+)", _start_job),
    ("GET", r"/jobs/([^/]+)", _show_job),
    ("POST", r"/calls/([^/]+)", _call),
)


class Server(wsgi.Server):
    """The HTTPS server; its complaints go to the agent's log."""

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
        _log.log(level, "server: %s", msg, exc_info=traceback)


def make_server(address: str, port: int, api: Api, context: ssl.SSLContext) -> Server:
    """Bind the server; `serve()` answers. Raises GuestError when the address can't be had."""
    server = Server((address, port), api, numthreads=THREADS, server_name="instar", request_queue_size=64)
    server.ssl_adapter = tls.LazyHandshake(context)
    server.ConnectionClass = tls.Connection
    server.max_request_header_size = 64 << 10
    server.shutdown_timeout = 1
    try:
        server.prepare()
    except OSError as error:
        raise GuestError(
            f"The agent can't listen on {address} port {port}",
            seen=error.strerror or str(error),
            remedy="Free the port, or correct listen_address and port in guestagent.conf.",
        ) from error
    return server


def _body(environ: Environ) -> Any:
    length = LARGEST_BODY + 1 if environ["wsgi.input_terminated"] else int(environ.get("CONTENT_LENGTH") or 0)
    text = environ["wsgi.input"].read(min(length, LARGEST_BODY + 1))
    if len(text) > LARGEST_BODY:
        raise OverLimit(f"The body may have at most {LARGEST_BODY} bytes", seen=f"{length} bytes or more")
    try:
        body = json.loads(text or b"{}")
    except (ValueError, RecursionError):
        raise UnsupportedMedia("The body is not JSON") from None
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object")
    return body


def _seconds(environ: Environ, key: str) -> float:
    text = parse_qs(environ.get("QUERY_STRING", "")).get(key, ["0"])[-1]
    try:
        return max(0.0, float(text))
    except ValueError:
        raise BadRequest(f"{key} must be a number of seconds") from None
