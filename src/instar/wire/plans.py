"""What an upgrade would do: options, the plan, and what its hash stands for."""

import hashlib
import json
from typing import Any, Literal

from pydantic import BaseModel, Field

from instar.wire.agent import IndexAtRisk, ProbeResult, TextOrderingPolicy
from instar.wire.errors import Finding, Severity

Method = Literal["link", "clone", "copy", "in place"]
SHARED_FILES: frozenset[Method] = frozenset({"link", "in place"})
"""Methods after which the old release has no data files of its own to go back to."""
SnapshotPolicy = Literal["auto", "always", "never"]
OnFailure = Literal["error", "rollback"]
Strategy = Literal["rebuild", "replace"]
"""How the new image takes the old one's place: on the same server, or with another one beside it."""
StrategyPolicy = Literal["auto", "rebuild", "replace"]


class UpgradeOptions(BaseModel):
    """How to upgrade, as a request says it: None leaves it to the named plan, then to the defaults."""

    method: Method | None = Field(default=None, description="how data files cross to another format")
    snapshot: SnapshotPolicy | None = None
    on_failure: OnFailure | None = None
    text_ordering: TextOrderingPolicy | None = None
    strategy: StrategyPolicy | None = None
    plan: str | None = Field(default=None, description="hash of the plan that is to hold still")
    force: bool = Field(
        default=False, description="go on where the plan says no; the guest still refuses what would harm"
    )


class PlannedStep(BaseModel):
    """One step, and what a failure or an abort in it leads to."""

    name: str
    stretch: str
    way_back: str = Field(description="what leads back from here, in words")


class PlannedSnapshot(BaseModel):
    """Whether the volume is snapshotted, and what that costs while clients are out."""

    policy: SnapshotPolicy
    taken: bool
    instant: bool = False
    bytes: int | None = None
    seconds: float | None = Field(default=None, description="estimate; None where nothing is known")
    reason: str = ""


class Translation(BaseModel):
    """What becomes of one value of the configuration in the target version."""

    name: str
    value: str
    change: Literal["kept", "removed", "renamed", "default changed", "invalid"]
    target_name: str | None = None
    target_value: str | None = None
    note: str = ""


class TextOrdering(BaseModel):
    """What the new image's libraries mean for text in indexes."""

    glibc_before: str = ""
    glibc_after: str = ""
    icu_before: str = ""
    icu_after: str = ""
    policy: TextOrderingPolicy = "rebuild"
    indexes: list[IndexAtRisk] = []
    rebuild_seconds: float | None = Field(default=None, description="estimate; None: nothing is rebuilt")
    rebuilds: int = Field(
        default=0, description="how many rebuilds the estimate rests on; 0 means that it is assumed"
    )


class Forecast(BaseModel):
    """Seconds without service to expect, from this installation's own upgrades of the same sort."""

    upgrades: int = Field(description="how many it rests on; 0 means no history")
    p50: float | None = None
    p95: float | None = None
    sort: str = Field(default="", description="engine, kind of change, method and size class")


class PlannedStrategy(BaseModel):
    """One strategy: whether the upgrade could take it, and what it would cost."""

    name: Strategy
    chosen: bool = False
    possible: bool = True
    reason: str = Field(default="", description="why it can't be taken")
    forecast: Forecast
    resources: str = Field(default="", description="what it needs beside what the instance has, in words")


class Plan(BaseModel):
    """Everything that was found and what would be done; `hash` stands for `basis` alone."""

    id: str
    hash: str
    instance_id: str
    created: str = ""
    version_before: str
    version_after: str
    image_before: str | None = None
    image_after: str
    format_changes: bool = Field(description="whether the data files cross to another format")
    method: Method
    on_failure: OnFailure
    strategy: Strategy = "rebuild"
    snapshot: PlannedSnapshot
    allowed: bool = Field(description="no finding blocks")
    findings: list[Finding] = []
    steps: list[PlannedStep] = []
    point_of_no_return: str | None = Field(
        default=None, description="the step from which on there is no way back; None when there is always one"
    )
    undo: str = Field(default="", description="what can be undone after success, and until when, in words")
    configuration: list[Translation] = []
    text_ordering: TextOrdering = TextOrdering()
    probes: list[ProbeResult] = []
    forecast: Forecast = Forecast(upgrades=0)
    strategies: list[PlannedStrategy] = []
    basis: dict[str, Any] = Field(default={}, description="all that the plan depends on")

    def blocking(self) -> list[Finding]:
        """Give the findings that forbid the upgrade."""
        return [finding for finding in self.findings if finding.severity is Severity.BLOCK]


def hash_of(basis: dict[str, Any]) -> str:
    """Give the hash of what a plan depends on: the same for the same content, whatever the order of keys."""
    text = json.dumps(basis, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def changes(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Say in words which parts of a plan's basis are not as they were."""
    was, is_ = _flat(before), _flat(now)
    return [
        f"{'.'.join(path)} was {was.get(path, 'absent')} and is {is_.get(path, 'absent')}"
        for path in sorted({*was, *is_})
        if was.get(path) != is_.get(path)
    ]


def _flat(basis: dict[str, Any]) -> dict[tuple[str, ...], str]:
    """Give the text of every part by its path, such as (`configuration`, `work_mem`)."""
    parts: dict[tuple[str, ...], Any] = {}
    for name, value in basis.items():
        if isinstance(value, dict):
            parts |= {(name, key): each for key, each in value.items()}
        else:
            parts[name,] = value
    return {path: "absent" if value is None else str(value) for path, value in parts.items()}
