"""Reads and validates what callers send: bodies and query strings."""

from collections.abc import Iterator
from typing import Any, TypeVar

import falcon
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from instar.wire.errors import BadRequest, OverLimit, UnsupportedMedia

LIMIT = 1024 * 1024
_TOLD = 20
_JSON = ("application/json", "application/vnd.openstack.trove+json")

Model = TypeVar("Model", bound=BaseModel)


def read(req: falcon.Request, model: type[Model]) -> Model:
    """Read the body as `model`; an empty one counts as `{}`.

    Raises BadRequest naming every field that is wrong, OverLimit, UnsupportedMedia.
    """
    raw = _bytes(req)
    if raw.strip():
        _check_type(req.content_type)
    try:
        sent = from_json(raw if raw.strip() else b"{}", allow_inf_nan=False)
    except ValueError as error:
        raise BadRequest(f"The body is not valid JSON: {error}") from None
    for field in _nuls(sent):
        raise BadRequest(f"Validation error: {field}: holds a NUL character")
    return _validate(model, sent, strict=True)


def within(model: type[Model], sent: Any) -> Model:
    """Read a part of a body that was read already as `model`. Raises BadRequest naming the fields."""
    return _validate(model, sent, strict=True)


def query(req: falcon.Request, model: type[Model]) -> Model:
    """Read the query string as `model`; of a repeated parameter the last counts, unknown ones are ignored."""
    sent = {name: value[-1] if isinstance(value, list) else value for name, value in req.params.items()}
    return _validate(model, sent, strict=False)


def _bytes(req: falcon.Request) -> bytes:
    if (req.content_length or 0) > LIMIT:
        raise _too_large()
    chunked = req.env.get("wsgi.input_terminated") and req.content_length is None
    raw: bytes = (req.stream if chunked else req.bounded_stream).read(LIMIT + 1)
    if len(raw) > LIMIT:
        raise _too_large()
    return raw


def _too_large() -> OverLimit:
    return OverLimit("The body is too large", remedy=f"Send {LIMIT} bytes at most")


def _check_type(content_type: str | None) -> None:
    """A body without a content type is taken for JSON."""
    kind = (content_type or _JSON[0]).partition(";")[0].strip().lower()
    if kind not in _JSON:
        raise UnsupportedMedia("The body must be application/json", seen=kind)


def _nuls(value: Any, field: str = "body") -> Iterator[str]:
    """Find NUL characters, which not every record store takes; the parser has bounded the depth."""
    match value:
        case str() if "\0" in value:
            yield field
        case list():
            for index, item in enumerate(value):
                yield from _nuls(item, f"{field}.{index}")
        case dict():
            for key, item in value.items():
                yield from _nuls(key, f"a key of {field}")
                yield from _nuls(item, f"{field}.{key}")


def _validate(model: type[Model], sent: Any, *, strict: bool) -> Model:
    try:
        return model.model_validate(sent, strict=strict)
    except ValidationError as error:
        raise BadRequest(f"Validation error: {'; '.join(_problems(error))}") from None


def _problems(error: ValidationError) -> Iterator[str]:
    """Name each field with what is wrong, never with what was sent: it may be a password."""
    details = error.errors(include_url=False, include_context=False, include_input=False)
    for detail in details[:_TOLD]:
        field = ".".join(str(part) for part in detail["loc"]) or "body"
        yield f"{field}: {detail['msg'].removeprefix('Value error, ')}"
    if len(details) > _TOLD:
        yield f"and {len(details) - _TOLD} more"
