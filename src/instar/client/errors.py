"""Every error that the client raises: one tree under `InstarError`.

Each carries `body` (what happened, what was seen, the remedy, whether a retry helps), `status` (of HTTP),
`details` and `request_id` (what the control plane answered beside the message, empty where it didn't).
"""

from typing import ClassVar

from instar.wire.errors import (
    BadRequest,
    Busy,
    DeadlinePassed,
    ErrorBody,
    Finding,
    Forbidden,
    InstarError,
    MethodNotAllowed,
    NeedsConsent,
    NotFound,
    NotSupported,
    NoWayBack,
    OverLimit,
    Unauthorized,
    Unavailable,
    Unprocessable,
    UnsupportedMedia,
)
from instar.wire.rest import Operation

__all__ = [
    "Ambiguous",
    "BadAnswer",
    "BadRequest",
    "Busy",
    "ConnectionFailed",
    "DeadlinePassed",
    "ErrorBody",
    "Finding",
    "Forbidden",
    "InstarError",
    "MethodNotAllowed",
    "NeedsConsent",
    "NoWayBack",
    "NotConfigured",
    "NotFound",
    "NotSupported",
    "OperationFailed",
    "OverLimit",
    "Unauthorized",
    "Unavailable",
    "Unprocessable",
    "UnsupportedMedia",
]


class ConnectionFailed(Unavailable):
    """Nothing answers at the endpoint; the text names it."""

    code = "connection_failed"


class BadAnswer(InstarError):
    """Something answers at the endpoint, and not as Instar does."""

    code, status = "bad_answer", 502


class NotConfigured(InstarError):
    """Endpoint, project or token is not known; the text says where each was looked for."""

    code, status = "not_configured", 401


class Ambiguous(BadRequest):
    """Several things have the name; the text lists their ids."""

    code = "ambiguous"


class OperationFailed(InstarError):
    """An operation that was waited for has failed; `operation` tells all of it."""

    code: ClassVar[str] = "operation_failed"

    def __init__(self, operation: Operation) -> None:
        cause = operation.error or ErrorBody(code="internal", brief="no error was recorded")
        step = operation.turned_back_at or operation.step
        back = "The instance is back where it was. " if operation.came_back else ""
        super().__init__(
            f"The {operation.kind} of {operation.instance_name or operation.instance_id} failed"
            f" at step {step}: {cause.brief}",
            seen=cause.seen,
            remedy=f"{back}{cause.remedy}".rstrip(),
            retryable=cause.retryable,
            findings=cause.findings,
        )
        self.operation = operation
