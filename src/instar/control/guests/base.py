"""The contract of our end of a guest agent."""

from collections.abc import Mapping
from typing import Any, Protocol

from instar.wire.agent import AgentInfo, DatabaseStatus, JobView
from instar.wire.outages import OutageView


class Guest(Protocol):
    """One instance's agent. Every call raises `GuestUnreachable` (retryable) when it does not answer in time,
    and the agent's own error, as `InstarError`, when it refuses.
    """

    def info(self) -> AgentInfo:
        """Ask who answers."""

    def status(self) -> DatabaseStatus:
        """Ask how the database is."""

    def start_job(self, job_id: str, hook: str, params: dict[str, Any]) -> JobView:
        """Start a named job, or find it when it was started before."""

    def job(self, job_id: str, wait: float = 0.0) -> JobView:
        """Tell of a named job, waiting up to `wait` seconds for its end."""

    def call(self, hook: str, params: dict[str, Any]) -> dict[str, Any]:
        """Run a brief hook and give its answer."""


class Guests(Protocol):
    """All guests: how to reach one, and what a server must be given so that it can be reached."""

    def at(self, instance_id: str, address: str) -> Guest:
        """Give the channel to one instance's agent."""

    def files(self, instance_id: str, facts: dict[str, str], settings: Mapping[str, str]) -> dict[str, str]:
        """Make what is injected into a server: `guest_info.conf`, `guestagent.conf`, a new TLS key pair.

        `facts` are put into guest_info.conf, `settings` (where the volume is, where a standby waits) into
        guestagent.conf; the same files serve for one server only.
        """


class Outages(Protocol):
    """Watches instances from outside for the operations of this worker: can clients get in?"""

    def ensure(
        self,
        operation_id: str,
        manager: str,
        address: str,
        port: int,
        known: OutageView | Mapping[str, Any] | None,
    ) -> None:
        """Begin to watch, or go on with it; `known` is what an earlier worker recorded."""

    def view(self, operation_id: str) -> OutageView | None:
        """Give what was seen so far, None when nobody watches."""

    def end(self, operation_id: str) -> OutageView | None:
        """Stop watching; gives what was seen."""
