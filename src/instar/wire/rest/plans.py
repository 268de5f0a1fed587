"""Plans of upgrades, and the probes that are run before and after: ours, beside Trove's."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from instar.wire.agent import Probe, ProbeResult, TextOrderingPolicy
from instar.wire.plans import Method, OnFailure, Plan, SnapshotPolicy, StrategyPolicy
from instar.wire.rest.base import Answer, Link, Name, Request

ProbeName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$")]


class NewPlan(Request):
    datastore_version: Name = Field(description="id or name of the version to go to")
    method: Method | None = Field(default=None, description="how data files cross to another format")
    snapshot: SnapshotPolicy | None = None
    on_failure: OnFailure | None = None
    text_ordering: TextOrderingPolicy | None = Field(
        default=None, description="what becomes of indexes that a library orders otherwise"
    )
    strategy: StrategyPolicy | None = Field(
        default=None, description="whether the server is rebuilt, or another one takes its place"
    )


class CreatePlanRequest(Request):
    plan: NewPlan


class PlanAnswer(Answer):
    plan: Plan


class PlanPending(Answer):
    """The plan is not made yet: it will be found under the operation's id."""

    operation_id: str
    links: list[Link] = []


class PlanSummary(Answer):
    """A plan as a list shows it."""

    id: str
    hash: str
    created: str
    version_before: str
    version_after: str
    allowed: bool


class PlansAnswer(Answer):
    plans: list[PlanSummary]
    links: list[Link] | None = None


class NewProbe(Request):
    name: ProbeName
    database: Name
    sql: str = Field(min_length=1, max_length=4000, description="one statement; it may only read")
    expected: str = Field(
        max_length=200,
        description="the first column of the first row as text; empty when there is to be no row",
    )
    policy: Literal["block", "warn"] = "block"


class CreateProbeRequest(Request):
    probe: NewProbe


class ProbeAnswer(Answer):
    probe: Probe


class ProbesAnswer(Answer):
    probes: list[Probe]


class ProbeResultsAnswer(Answer):
    results: list[ProbeResult]
