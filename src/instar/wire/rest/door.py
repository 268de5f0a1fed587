"""The door's own answers: versions, limits, health, errors."""

from typing import Literal

from pydantic import Field

from instar.wire.errors import ErrorBody
from instar.wire.rest.base import Answer, Link


class ApiVersion(Answer):
    id: str
    status: str
    updated: str
    links: list[Link]


class ApiVersionsAnswer(Answer):
    versions: list[ApiVersion]


class ApiVersionAnswer(Answer):
    version: ApiVersion


class AbsoluteLimits(Answer):
    """-1 means that there is no limit."""

    verb: Literal["ABSOLUTE"] = "ABSOLUTE"
    max_instances: int
    max_ram: int
    max_backups: int
    max_volumes: int


class LimitsAnswer(Answer):
    limits: list[AbsoluteLimits]


class HealthAnswer(Answer):
    status: Literal["OK"] = "OK"


class Problem(Answer):
    """The inside of an error's envelope; `details` lists a check's findings."""

    code: int
    message: str
    details: str | None = None
    error: ErrorBody | None = Field(default=None, description="the same, as data")
