"""What every shape stands on: how strict a request is, and the types that several share."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"[0-9a-zA-Z]")]
"""Trove's `non_empty_string`: 1 to 255 characters, one letter or digit at least."""

Host = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[0-9A-Za-z%_.:/-]+$")]
"""From where a database user may come: a name or an address, with `%` and `_` as wildcards, or a network."""


def _whole(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("must be a whole number, not true or false")
    return (
        int(value)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10
        else value
    )


def _last_segment(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("must be a flavor id, not true or false")
    return str(value).rstrip("/").rsplit("/", 1)[-1] if isinstance(value, int | str) else value


VolumeSize = Annotated[int, BeforeValidator(_whole), Field(ge=1, le=1_000_000)]
FlavorRef = Annotated[str, BeforeValidator(_last_segment), StringConstraints(min_length=1, max_length=255)]


class Request(BaseModel):
    """Base of everything a caller sends."""

    model_config = ConfigDict(extra="forbid", str_max_length=65536)


class Answer(BaseModel):
    """Base of everything the door answers; absent means absent, so None is left out."""

    model_config = ConfigDict(extra="allow")


class Link(Answer):
    rel: str
    href: str
