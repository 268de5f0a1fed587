"""A standby answers at its own address until its volume is there, and then at the one that it takes over."""

import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from instar.agent import standby
from instar.agent.server import Api
from instar.wire.agent import CARD_AWAITED, NETWORK_DATA, AgentInfo
from instar.wire.errors import GuestError
from waiting import until

INFO = AgentInfo(
    agent_version="1", instance_id="i", boot_id="b", manager="m", image_digest="d", engine_version="1"
)
OWN, TAKEN = "127.0.0.2", "127.0.0.1"


@dataclass
class Machine:
    """What a standby finds: whether its volume is there, and whether it may listen at an address."""

    has_volume: bool = False
    refused: set[str] = field(default_factory=set)
    bound: list[tuple[str, bool]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)
    given: list[Any] = field(default_factory=list)
    root: str = "/nowhere"

    def is_there(self) -> bool:
        return self.has_volume

    def bind(self, address: str, api: Api) -> Any:
        if address in self.refused:
            raise GuestError("The agent can't listen", seen="Cannot assign requested address")
        self.bound.append((address, api.info.standby))
        return SimpleNamespace(serve=lambda: None, stop=lambda: None, address=address)

    def boot(self) -> threading.Thread:
        """Begin to wait in a thread."""
        facts: Any = SimpleNamespace(root=self.root, holder=self, listen_address=OWN, takes_over=TAKEN)
        api = Api(INFO, None, None)  # type: ignore[arg-type]

        def wait() -> None:
            self.given.append(standby.take_over(facts, api, self.bind, self.ended))

        thread = threading.Thread(target=wait)
        thread.start()
        return thread


def test_it_says_that_it_waits_until_its_volume_is_there() -> None:
    machine = Machine()
    thread = machine.boot()
    until(lambda: machine.bound == [(OWN, True)])
    machine.has_volume = True
    thread.join()
    assert machine.bound == [(OWN, True), (TAKEN, False)]
    assert machine.given[0].address == TAKEN


def test_it_waits_for_an_address_that_comes_after_the_volume() -> None:
    machine = Machine(has_volume=True, refused={TAKEN})
    thread = machine.boot()
    machine.refused.clear()
    thread.join()
    assert machine.bound == [(TAKEN, False)], "one that has its volume at its boot is no standby any more"


@pytest.mark.parametrize("awaited", [True, False])
def test_where_a_card_is_to_come_it_is_one_only_if_somebody_waits_for_that(
    tmp_path: Path, awaited: bool
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / NETWORK_DATA).parent.mkdir(parents=True)
    (tmp_path / NETWORK_DATA).touch()
    if awaited:
        (tmp_path / CARD_AWAITED).touch()
    machine = Machine(root=str(tmp_path))
    thread = machine.boot()
    until(lambda: machine.bound == [(OWN, awaited)])
    machine.ended.set()
    thread.join()


def test_it_ends_when_it_is_told_to() -> None:
    machine = Machine()
    thread = machine.boot()
    machine.ended.set()
    thread.join()
    assert machine.given == [None]
