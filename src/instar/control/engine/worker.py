"""Finds what is due and hands it to threads; renews leases meanwhile; forgets old operations."""

import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from instar.control.engine import retention
from instar.control.engine.lease import Candidate, Claim, Leases
from instar.control.engine.outcomes import Story
from instar.control.engine.runner import Runner, Work
from instar.control.store.session import Store
from instar.wire.ids import new_id

LOG = logging.getLogger(__name__)
RETENTION_INTERVAL = 60.0
T = TypeVar("T")


@dataclass(frozen=True)
class WorkerSettings:
    """How a worker works; times in seconds. `cap` holds over all workers, `threads` is this one's own."""

    threads: int = 8
    lease: float = 10.0
    poll: float = 0.5
    cap: int = 16
    keep: float = 90 * 86400.0


class Worker:
    """A worker: any number of them, on any hosts, share one record store."""

    def __init__(
        self,
        store: Store,
        stories: Mapping[str, Story[Any]],
        make_context: Callable[[Work], Any],
        settings: WorkerSettings,
    ) -> None:
        owner = f"{socket.gethostname()}:{os.getpid()}:{new_id()[:8]}"
        self.leases = Leases(store, owner, settings.lease, settings.cap)
        self.runner = Runner(self.leases, stories, make_context)
        self.settings = settings
        self._quiet = [kind for kind, story in stories.items() if story.quiet]
        self._urgent = [kind for kind, story in stories.items() if story.urgent]
        self._patient = [kind for kind in self._quiet if kind not in self._urgent]
        self._capped = [kind for kind, story in stories.items() if not story.quiet]
        self._held: dict[str, Claim] = {}
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin to work, in threads of its own."""
        for target in (self._dispatch, self._renew, self._forget):
            thread = threading.Thread(target=target, name=f"worker-{target.__name__.strip('_')}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Finish the steps that run, give the leases back, and return."""
        self.runner.stopping.set()
        self._stop.set()
        self._wake.set()
        for thread in self._threads:
            thread.join()

    def wake(self) -> None:
        """Look for due operations now instead of at the next poll."""
        self._wake.set()

    def _dispatch(self) -> None:
        with ThreadPoolExecutor(self.settings.threads, thread_name_prefix="step") as pool:
            while not self._stop.is_set():
                self._wake.clear()
                pause = self._guarded(lambda: self._claim_due(pool), default=self.settings.poll)
                self._wake.wait(min(pause, self.settings.poll))

    def _claim_due(self, pool: ThreadPoolExecutor) -> float:
        """Claim what is due, as far as threads are free; gives the seconds until there may be more.

        Urgent operations go first: someone waits for their answer. Quiet ones that take long go last, so that
        they keep no operation waiting in its downtime; but past those that the cap holds up.
        """
        left = self._claim(pool, self._due(self._urgent, self._capped, self._patient))
        if left:
            self._claim(pool, self._due(self._urgent, self._patient))
        pause = self.leases.next_due([*self._quiet, *self._capped]) if self._free() and not left else None
        return self.settings.poll if pause is None else max(pause, 0.005)

    def _due(self, *ranks: list[str]) -> list[Candidate]:
        """List what is due, as far as threads are free for it."""
        free = self._free()
        return self.leases.due(free, *ranks) if free else []

    def _claim(self, pool: ThreadPoolExecutor, due: list[Candidate]) -> bool:
        """Claim and run; tells whether some were left, to a faster worker or by the cap."""
        claims = [self.leases.claim(each, capped=each.kind in self._capped) for each in due]
        for claim in filter(None, claims):
            self._held[claim.operation_id] = claim
            pool.submit(self._run, claim)
        return None in claims

    def _free(self) -> int:
        return self.settings.threads - len(self._held)

    def _run(self, claim: Claim) -> None:
        try:
            self._guarded(lambda: self.runner.run(claim), default=None)
        finally:
            self._held.pop(claim.operation_id, None)
            if self._stop.is_set():
                self._guarded(lambda: self.leases.release(claim), default=None)
            self._wake.set()

    def _renew(self) -> None:
        while not self._stop.wait(self.settings.lease / 3):
            self._guarded(lambda: self.leases.renew(list(self._held.values())), default=None)
        while self._held:  # steps that still run at the stop keep their leases until they are done
            self._guarded(lambda: self.leases.renew(list(self._held.values())), default=None)
            self._wake.wait(0.05)
            self._wake.clear()

    def _forget(self) -> None:
        while not self._stop.wait(RETENTION_INTERVAL):
            self._guarded(self._forget_once, default=0)

    def _forget_once(self) -> int:
        return retention.forget(self.leases.store, self.settings.keep, self._quiet)

    def _guarded(self, act: Callable[[], T], default: T) -> T:
        """Go on when the record store is away or a fault of ours shows: leases see that nothing is lost."""
        try:
            return act()
        except SQLAlchemyError as error:
            LOG.error("record store did not answer error=%s", error)
        except Exception:
            LOG.exception("worker met an unexpected error")
        return default
