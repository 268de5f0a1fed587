"""Quotas of projects."""

from typing import Annotated

from pydantic import Field

from instar.wire.rest.base import Answer, Request

Limit = Annotated[int, Field(ge=-1, le=2**31 - 1)]


class Quota(Answer):
    """What a project has and may have of a resource: `ram` in MiB, `volumes` in GiB; -1 is no limit."""

    resource: str
    in_use: int
    reserved: int
    limit: int


class QuotasAnswer(Answer):
    quotas: list[Quota]


class UpdateQuotasRequest(Request):
    quotas: dict[str, Limit] = Field(min_length=1)


class UpdatedQuotasAnswer(Answer):
    quotas: dict[str, int]
