"""Event kinds and payloads: what the record, the stream and the notifications say.

An operation of kind K writes `trove.K.start` when it is submitted, `trove.K.end` when it has succeeded and
`trove.K.error` when it has failed; between them one `step` event for each outcome of a step.
"""

from typing import Any

from pydantic import BaseModel

from instar.wire.errors import ErrorBody

STEP = "step"


def start(kind: str) -> str:
    """Name the event that an operation of `kind` begins with."""
    return f"trove.{kind}.start"


def end(kind: str) -> str:
    """Name the event of an operation of `kind` that succeeded."""
    return f"trove.{kind}.end"


def error(kind: str) -> str:
    """Name the event of an operation of `kind` that failed."""
    return f"trove.{kind}.error"


class StepEvent(BaseModel):
    """Payload of a `step` event: one outcome of one step."""

    step: str
    outcome: str
    """started, done, wait, fail or goto."""
    stretch: str = ""
    reason: str = ""
    percent: float | None = None
    seconds: float | None = None
    """Since the step was entered."""
    error: ErrorBody | None = None


class OperationEvent(BaseModel):
    """Payload of start, end and error."""

    operation_id: str
    instance_id: str
    instance_name: str
    tenant_id: str
    actor: str
    request_id: str
    datastore: str
    seconds: float | None = None
    downtime_seconds: float | None = None
    details: dict[str, Any] = {}
    """What is the kind's own: versions before and after, image digests, address."""
    error: ErrorBody | None = None
    message: str = ""
    exception: list[str] = []


class EventView(BaseModel):
    """One event as the stream and the lists show it; `id` grows within an operation."""

    id: int
    kind: str
    operation_id: str
    instance_id: str
    created: str
    payload: dict[str, Any]
