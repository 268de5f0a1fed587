"""Turns whatever went wrong into the error envelope: the one place that does, with the one catch-all."""

import logging
from http import HTTPStatus
from typing import Any

import falcon
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from instar.wire.errors import KINDS, ErrorBody, InstarError, Unavailable
from instar.wire.ids import new_id
from instar.wire.rest import Problem

LOG = logging.getLogger(__name__)

_FAULTS = {kind.status: (kind.fault, kind.code) for kind in reversed(KINDS.values())}


def install(app: falcon.App[Any, Any]) -> None:
    """Make the app answer every error with an envelope."""
    app.add_error_handler(Exception, _unexpected)
    app.add_error_handler(falcon.HTTPError, _refused_by_falcon)
    app.add_error_handler(OperationalError, _store_away)
    app.add_error_handler(PoolTimeout, _store_away)
    app.add_error_handler(InstarError, _raised_on_purpose)


def _raised_on_purpose(_req: falcon.Request, resp: falcon.Response, error: InstarError, _params: Any) -> None:
    _answer(resp, error.status, error.fault, error.body)


def _refused_by_falcon(
    req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError, _params: Any
) -> None:
    fault, code = _FAULTS.get(error.status_code, ("badRequest", "bad_request"))
    brief = error.description or HTTPStatus(error.status_code).phrase
    resp.set_headers(error.headers or {})
    _answer(
        resp,
        error.status_code,
        fault,
        ErrorBody(code=code, brief=brief, seen=f"{req.method} {req.path[:200]}"),
    )


def _store_away(_req: falcon.Request, resp: falcon.Response, error: Exception, _params: Any) -> None:
    LOG.error("record store away: %s", error)
    away = Unavailable("The record store does not answer", remedy="Try again shortly", retryable=True)
    _answer(resp, away.status, away.fault, away.body)


def _unexpected(_req: falcon.Request, resp: falcon.Response, error: Exception, _params: Any) -> None:
    mark = new_id()
    LOG.error("unexpected error %s", mark, exc_info=error)
    brief = f"Internal Server Error. Please keep this ID to help us figure out what went wrong: ({mark})."
    _answer(resp, 500, InstarError.fault, ErrorBody(code=InstarError.code, brief=brief))


def _answer(resp: falcon.Response, status: int, fault: str, body: ErrorBody) -> None:
    findings = [f"{finding.check}: {finding.seen} {finding.remedy}".rstrip() for finding in body.findings]
    problem = Problem(code=status, message=body.sentence(), details="\n".join(findings) or None, error=body)
    resp.status = falcon.code_to_http_status(status)
    resp.content_type = falcon.MEDIA_JSON
    resp.stream = None
    resp.media = {fault: problem.model_dump(mode="json", exclude_none=True)}
