"""A real control plane whose workers can be struck anywhere: the API, two workers, one record store."""

import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

import real_control_plane
from guest_images import Images
from instar.client.errors import NotFound
from instar.control.providers.directories.handles import key_of
from instar.wire.rest import Operation
from instar.wire.states import OperationState
from real_control_plane import INSTAR, TIMEOUT, ControlPlane
from real_instance import RealInstance
from waiting import until

PROGRAM = Path(__file__).with_name("striking_worker.py")
KILLED_WORKER, FROZEN_WORKER, AGENT, DATABASE, SERVER = (
    "worker killed",
    "worker frozen, and thawed after the end",
    "agent killed",
    "database killed",
    "server killed",
)
FAULTS = (KILLED_WORKER, SERVER, FROZEN_WORKER, AGENT, DATABASE)


@dataclass
class StrikingPlane(ControlPlane):
    """A control plane that stands still where a test orders it to."""

    frozen: psutil.Process | None = None

    @property
    def strikes(self) -> Path:
        """Where orders lie."""
        return self.home / "strikes"

    def words(self, program: str) -> list[str | Path]:
        """Give the words that start a program."""
        if program == "worker":
            return [sys.executable, PROGRAM, self.strikes, program]
        return [INSTAR, program]

    def order(self, kind: str, step: str, moment: str = "entry") -> None:
        """Have whichever worker gets there stand still."""
        self.strikes.mkdir(exist_ok=True)
        new = self.strikes / "new"
        new.write_text(json.dumps({"kind": kind, "step": step, "moment": moment}))
        new.rename(self.strikes / "order")

    def reached(self) -> Path | None:
        """Give the file of a worker that stands still."""
        return next(self.strikes.glob("reached.*"), None)

    def withdraw(self) -> None:
        """Take an order back, and let everyone go."""
        for path in self.strikes.glob("*"):
            path.unlink(missing_ok=True)

    def strike(self, fault: str, instance: RealInstance, operation: Operation) -> str:
        """Strike while a worker stands still, and let it go; says why where there was nothing to strike."""

        def is_over() -> bool:
            return self.client.operations.get(operation).state != OperationState.OPEN

        until(lambda: self.reached() or is_over(), TIMEOUT)
        place = self.reached()
        if place is None:
            return "the job was too brief to be struck"
        worker = psutil.Process(int(place.suffix[1:]))
        match fault:
            case "worker killed":
                self.kill(next(each for each in self.running if each.pid == worker.pid))
                place.unlink()
                self.start_in_background("worker")
            case "worker frozen, and thawed after the end":
                worker.send_signal(signal.SIGSTOP)
                self.frozen = worker
                place.unlink()
            case _:
                found = kill(fault, instance)
                place.unlink()
                return "" if found else "nothing ran yet"
        return ""

    def thaw(self) -> bool:
        """Have the frozen worker go on; False when another has ended it, to get at what it held."""
        if self.frozen is None:
            return True
        pid, self.frozen = self.frozen.pid, None
        worker = next(each for each in self.running if each.pid == pid)
        if worker.poll() is None:
            worker.send_signal(signal.SIGCONT)
            return True
        self.running.remove(worker)
        return False

    def wait_until_idle(self) -> None:
        """Wait until no operation is open."""
        instances, operations = self.client.instances, self.client.operations

        def is_idle() -> bool:
            with suppress(NotFound):  # one that is being deleted may go meanwhile
                last = [next(iter(operations.list(each.id, limit=1))) for each in instances.list()]
                return all(each.state != "OPEN" for each in last)
            return False

        until(is_idle, TIMEOUT)

    def leaked(self) -> list[str]:
        """Name what is there of servers and volumes that are no instance's."""
        known = {key_of(f"instar-{each.id}") for each in self.client.instances.list()}
        return self.ground.strays(self.home, known)

    def ensure_running(self) -> None:
        """Have the API and two workers run."""
        self.thaw()
        if not self.running:
            self.start("api")
        while len(self.running) < 3:
            self.start("worker")


def kill(fault: str, instance: RealInstance) -> bool:
    """Kill what the fault kills of an instance; tells whether there was anything."""
    found = {AGENT: instance.agents, DATABASE: instance.postmasters, SERVER: instance.processes}[fault]()
    if fault == SERVER:
        instance.cut_power()
    for process in found:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    return bool(found)


@contextmanager
def striking_plane(
    images: Images, store_url: str, kind: Callable[[Path, Images], StrikingPlane] = StrikingPlane
) -> Iterator[StrikingPlane]:
    """Run one for a module of tests; at its end nothing may be left of its instances."""
    with real_control_plane.installed(
        images, "worker", "api", "worker", store_url=store_url, kind=kind
    ) as plane:
        assert isinstance(plane, StrikingPlane)
        plane.strikes.mkdir(exist_ok=True)
        plane.strikes.chmod(0o700)
        yield plane
        plane.ensure_running()
        plane.withdraw()
        plane.wait_until_idle()
