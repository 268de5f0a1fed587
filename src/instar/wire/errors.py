"""The one error tree and the one error body, used by the door, the engine, the providers and the guest."""

from enum import StrEnum
from typing import ClassVar

from pydantic import BaseModel


class Severity(StrEnum):
    """How much a finding matters."""

    BLOCK = "block"
    WARN = "warn"
    NOTE = "note"


class Finding(BaseModel):
    """One thing that a check saw: its name, what was seen, and the remedy."""

    check: str
    severity: Severity = Severity.BLOCK
    seen: str
    remedy: str = ""


class ErrorBody(BaseModel):
    """An error as data: what happened, what was seen, what to do about it, whether a retry helps."""

    code: str
    brief: str
    seen: str = ""
    remedy: str = ""
    retryable: bool = False
    findings: list[Finding] = []

    def sentence(self) -> str:
        """Put the error in a line for people."""
        parts = [self.brief, self.seen and f"Seen: {self.seen}", self.remedy and f"Remedy: {self.remedy}"]
        return " ".join(part if part.endswith((".", "!", "?")) else f"{part}." for part in parts if part)


class InstarError(Exception):
    """Base of every error that we raise on purpose; subclasses name the kind, the body says the rest.

    `status` and `fault` are how the REST door answers it: the HTTP status and the envelope's one key.
    """

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    fault: ClassVar[str] = "instanceFault"

    details: str = ""
    """What a REST answer said beside the message; set by the client."""
    request_id: str = ""
    """The id under which the control plane logged the request; set by the client."""

    def __init__(
        self,
        brief: str,
        *,
        seen: str = "",
        remedy: str = "",
        retryable: bool = False,
        findings: list[Finding] | None = None,
    ) -> None:
        self.body = ErrorBody(
            code=self.code,
            brief=brief,
            seen=seen,
            remedy=remedy,
            retryable=retryable,
            findings=findings or [],
        )
        super().__init__(self.body.sentence())

    @classmethod
    def from_body(cls, body: ErrorBody) -> "InstarError":
        """Make the error that a body tells of, of the kind its code names."""
        kind = KINDS.get(body.code, cls)
        return kind(
            body.brief,
            seen=body.seen,
            remedy=body.remedy,
            retryable=body.retryable,
            findings=body.findings,
        )


class BadRequest(InstarError):
    """The request itself is wrong; the text names the field."""

    code, status, fault = "bad_request", 400, "badRequest"


class Unauthorized(InstarError):
    """No token, a wrong one, or one without admin rights on a management route."""

    code, status, fault = "unauthorized", 401, "unauthorized"


class Forbidden(InstarError):
    """The caller is known and may not do this."""

    code, status, fault = "forbidden", 403, "forbidden"


class NotFound(InstarError):
    """No such thing, or none that this project may see."""

    code, status, fault = "not_found", 404, "itemNotFound"


class MethodNotAllowed(InstarError):
    """The resource exists and does not take this verb."""

    code, status, fault = "method_not_allowed", 405, "badMethod"


class OverLimit(InstarError):
    """A quota, a rate or a size limit is reached."""

    code, status, fault = "over_limit", 413, "overLimit"


class UnsupportedMedia(InstarError):
    """The body is not JSON."""

    code, status, fault = "unsupported_media", 415, "badMediaType"


class Busy(InstarError):
    """The instance can't take this now; the text names the operation or the status in the way."""

    code, status, fault = "busy", 422, "unprocessableEntity"


class NoWayBack(Busy):
    """From where the operation stands no way leads back; the text says why."""

    code = "no_way_back"


class NeedsConsent(NoWayBack):
    """What was asked for loses data, and the request does not say that exactly this is meant."""

    code, status, fault = "needs_consent", 409, "conflict"


class Unprocessable(InstarError):
    """The request is well-formed and can't be carried out as it is; every finding is attached."""

    code, status, fault = "unprocessable", 422, "unprocessableEntity"


class NotSupported(InstarError):
    """This datastore or provider does not do that, or it is not built yet."""

    code, status, fault = "not_supported", 501, "notImplemented"


class Unavailable(InstarError):
    """Something the answer needs could not be reached; a retry helps."""

    code, status, fault = "unavailable", 503, "serviceUnavailable"


class ProviderError(InstarError):
    """The compute provider could not do what was asked."""

    code = "provider"


class GuestError(InstarError):
    """The guest ran a hook or a program and it failed."""

    code = "guest"


class GuestUnreachable(InstarError):
    """The guest agent did not answer; retryable unless its certificate is wrong."""

    code, status, fault = "guest_unreachable", 503, "serviceUnavailable"


class Vetoed(InstarError):
    """A check refused: every finding is attached with its remedy."""

    code, status, fault = "vetoed", 400, "badRequest"


class Aborted(InstarError):
    """Somebody aborted the operation."""

    code = "aborted"


class Untouched(GuestError):
    """The guest gave up before it changed the data files: the old image can serve them as they are."""

    code = "untouched"


class DeadlinePassed(InstarError):
    """A wait's deadline passed with nothing measurable moving."""

    code = "deadline_passed"


KINDS: dict[str, type[InstarError]] = {
    kind.code: kind
    for kind in (
        BadRequest, Unauthorized, Forbidden, NotFound, MethodNotAllowed, OverLimit, UnsupportedMedia, Busy,
        NoWayBack, NeedsConsent, Unprocessable, NotSupported, Unavailable, ProviderError, GuestError,
        GuestUnreachable, Vetoed, Aborted, Untouched, DeadlinePassed,
    )
}  # fmt: skip
