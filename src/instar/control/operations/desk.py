"""What every `request()` and every inquiry is handed: who asks, and the rooms below the door."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import BoundedSemaphore

from instar.control.providers.base import Abilities, FlavorSpec
from instar.control.store.sealing import Sealer
from instar.control.store.session import Store
from instar.wire.agent import TextOrderingPolicy
from instar.wire.plans import OnFailure, SnapshotPolicy, StrategyPolicy

UNLIMITED: Mapping[str, int] = {"instances": -1, "volumes": -1, "ram": -1, "backups": -1}
"""A quota for every resource there is: -1 is no limit."""


@dataclass(frozen=True)
class Caller:
    """Who sends a request, as the door found out."""

    project: str
    user: str
    is_admin: bool = False
    request_id: str = ""

    @property
    def reach(self) -> str | None:
        """The project whose things the caller may name by their ids; None: every project's, as in Trove."""
        return None if self.is_admin else self.project


@dataclass(frozen=True)
class UpgradeDefaults:
    """What an upgrade is like where its request does not say."""

    snapshot: SnapshotPolicy = "auto"
    on_failure: OnFailure = "error"
    text_ordering: TextOrderingPolicy = "rebuild"
    strategy: StrategyPolicy = "rebuild"


@dataclass(frozen=True)
class Desk:
    """The rooms that requests are worked at; made once, by wiring.

    `flavors` lists the sizes on offer from data (it touches no machine); `newest_image` finds the image that
    tags stand for, as a provider does; `wake` nudges a worker in the same
    process, if there is one; `quotas` are those of projects that have none of their own; `streams` are the
    event streams that may be open at once, each of which holds a thread of the server.
    """

    store: Store
    sealer: Sealer
    flavors: Callable[[], list[FlavorSpec]]
    abilities: Abilities
    newest_image: Callable[[Sequence[str]], str | None]
    wake: Callable[[], None] = field(default=lambda: None)
    answer_timeout: float = 15.0
    defaults: UpgradeDefaults = field(default_factory=UpgradeDefaults)
    quotas: Mapping[str, int] = field(default_factory=lambda: dict(UNLIMITED))
    streams: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(16))


@dataclass(frozen=True)
class Submitted:
    """An operation that was accepted: it is in the store, with its first event."""

    operation_id: str
    instance_id: str
