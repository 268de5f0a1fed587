"""Machines seen from outside: whether one is at work, what it says, and how one is ended for good."""

import contextlib
from pathlib import Path

from instar.control.providers.directories import records
from instar.control.providers.local.machine import cgroup, takeover
from instar.control.providers.local.machine.lock import RUNNING, MachineLock
from instar.wire.errors import ProviderError
from instar.wire.states import ServerState


def has_claimed(server: Path, boot: int) -> bool:
    """Tell whether some machine is at work on this boot."""
    with contextlib.closing(MachineLock(server)) as lock:
        return lock.holder(boot) is not None


def state(server: Path, boot: int) -> tuple[ServerState, str]:
    """Tell how a server is whose latest boot is `boot` (0: none yet), and why."""
    machine = records.glimpse(server / "machine.json") or {"boot": None}
    with contextlib.closing(MachineLock(server)) as lock:
        running, claimed = lock.holder(RUNNING), lock.holder(boot)
    is_latest = machine["boot"] == boot
    if is_latest and running == machine["pid"] and machine["phase"] == "running":
        return ServerState.ACTIVE, ""
    if claimed is not None:
        return ServerState.BUILDING, "the machine is booting"
    if is_latest and machine["phase"] == "failed":
        return ServerState.ERROR, machine["reason"]
    if not boot:
        return ServerState.BUILDING, "its root directory is not ready; repeat the call that makes it"
    return ServerState.STOPPED, "its machine is gone; a worker boots it again within moments"


def end(server: Path, uid: int | None, places: list[str], patience: float) -> None:
    """End every process of a server. Raises ProviderError, retryable, naming those that would not."""
    with contextlib.closing(MachineLock(server)) as lock:
        takeover.stop_machine(lock, patience, lambda: True)
    left = takeover.sweep(uid, str(server), places, patience)
    cgroup.remove(cgroup.name({"key": server.name, "uid": uid}))
    if left:
        raise ProviderError(
            f"Processes of the server in {server} would not end",
            seen=f"processes {sorted(left)}",
            remedy="find out what holds them up, and try again",
            retryable=True,
        )
