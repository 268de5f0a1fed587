"""From an HTTP answer to a model or to an error."""

from typing import Any, TypeVar

import pydantic
import requests

from instar.client.errors import BadAnswer, BadRequest, InstarError, Unavailable
from instar.wire.errors import KINDS, ErrorBody, NeedsConsent
from instar.wire.rest import Problem

Model = TypeVar("Model", bound=pydantic.BaseModel)

_PLAIN = [kind for kind in KINDS.values() if kind is not NeedsConsent]  # its meaning is in its code alone
_BY_STATUS = {kind.status: kind for kind in reversed(_PLAIN)} | {Unavailable.status: Unavailable}


def build(model: type[Model], **fields: Any) -> dict[str, Any]:
    """Make a request body. Raises BadRequest naming each wrong field, never its value: it may be a secret."""
    try:
        made = model(**fields)
    except pydantic.ValidationError as error:
        wrong = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise BadRequest("; ".join(wrong)) from None
    return made.model_dump(mode="json", by_alias=True, exclude_unset=True)


def parse(model: type[Model], response: requests.Response) -> Model:
    """Read an answer as `model`. Raises BadAnswer when it isn't one."""
    try:
        return model.model_validate_json(response.content)
    except pydantic.ValidationError as error:
        raise BadAnswer(
            f"{response.url} did not answer as Instar does",
            seen=f"HTTP {response.status_code}, {error.error_count()} fields not as expected",
            remedy="Check that the endpoint is Instar's, and that client and control plane fit.",
        ) from None


def failure(response: requests.Response, token_source: str) -> InstarError:
    """Make the error that an answer of status 400 and above tells of."""
    problem = _problem(response)
    body = problem.error or ErrorBody(
        code="", brief=problem.message, retryable=response.status_code == Unavailable.status
    )
    if response.status_code == 401 and not body.remedy:
        body.remedy = f"The token came from {token_source}: see that it is valid."
    fallback = _BY_STATUS.get(response.status_code, BadRequest if response.status_code < 500 else InstarError)
    error = KINDS.get(body.code, fallback)(
        **body.model_dump(exclude={"code", "findings"}), findings=body.findings
    )
    error.details = problem.details or ""
    error.request_id = response.headers.get("x-openstack-request-id", "")
    return error


def _problem(response: requests.Response) -> Problem:
    """Take the one member of the error envelope, or make one for an answer that has none."""
    try:
        (fault,) = response.json().values()
        return Problem.model_validate(fault)
    except (ValueError, AttributeError):
        return Problem(
            code=response.status_code,
            message=f"{response.url} answered HTTP {response.status_code} {response.reason}",
        )
