"""What is asked of an upgrade."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from instar.wire.agent import TextOrderingPolicy
from instar.wire.plans import Method, OnFailure, SnapshotPolicy, Strategy


@dataclass(frozen=True)
class Wanted:
    """The target and the options of an upgrade, as they are frozen with its request."""

    version_id: str
    version: str
    image: str
    method: Method = "link"
    snapshot: SnapshotPolicy = "auto"
    on_failure: OnFailure = "error"
    text_ordering: TextOrderingPolicy = "rebuild"
    strategy: Strategy = "rebuild"

    @classmethod
    def of(cls, inputs: Mapping[str, Any]) -> "Wanted":
        """Read it from an operation's inputs; other keys are left alone."""
        return cls(**{name: inputs[name] for name in cls.__dataclass_fields__ if name in inputs})
