"""Operations: ours, beside Trove's."""

from typing import Annotated, Any

from pydantic import Field, RootModel

from instar.wire.errors import ErrorBody, Finding
from instar.wire.rest.base import Answer, Link
from instar.wire.states import OperationState, StepState, Stretch


class Step(Answer):
    name: str
    stretch: Stretch
    state: StepState
    started: str | None = None
    ended: str | None = None
    seconds: float | None = None
    reason: str = ""
    percent: float | None = None
    error: ErrorBody | None = None


class Operation(Answer):
    """An operation; `steps` is left out of lists. `downtime_seconds` is None where none was measured."""

    id: str
    kind: str
    instance_id: str
    instance_name: str = ""
    state: OperationState
    step: str | None = Field(default=None, description="where the cursor stands, or stood last")
    reason: str = Field(default="", description="why it waits")
    deadline: str | None = None
    created: str
    started: str | None = None
    ended: str | None = None
    seconds: float | None = None
    downtime_seconds: float | None = None
    outage: dict[str, Any] | None = Field(
        default=None, description="what was measured from outside: how long nobody could connect"
    )
    overridden: list[Finding] = Field(
        default=[], description="findings of an upgrade's plan that it was forced to go over"
    )
    findings: list[Finding] = Field(
        default=[], description="what its steps found with clients out, and went on over"
    )
    text_ordering: dict[str, Any] | None = Field(
        default=None, description="indexes that were rebuilt, the largest named; how many, bytes and seconds"
    )
    actor: str = ""
    inputs: dict[str, Any] = Field(default={}, description="frozen at submission, without secrets")
    error: ErrorBody | None = None
    turned_back_at: str | None = Field(default=None, description="the step that its way back led away from")
    came_back: bool = Field(default=False, description="it has failed, and its instance is as it was before")
    verbs: list[str] = Field(default=[], description="what an operator can do now, such as resume")
    steps: list[Step] | None = None


class OperationAnswer(Answer):
    operation: Operation


class OperationsAnswer(Answer):
    operations: list[Operation]
    links: list[Link] | None = None


class ActionRequest(
    RootModel[Annotated[dict[str, dict[str, Any] | None], Field(min_length=1, max_length=1)]]
):
    """Body of an action: one key, the verb, such as `{"restart": {}}`."""
