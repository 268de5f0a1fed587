"""What is done every so often, such as to boot again what should run: it goes on, whatever went wrong."""

import threading
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy.exc import OperationalError

from instar.control.main import Regularly
from instar.control.providers.base import Handle, ServerSpec
from instar.control.providers.fake import FakeProvider
from instar.wire.errors import ProviderError
from instar.wire.states import ServerState
from waiting import until
from world import manifest

DAY = 86400.0
Recover = Callable[[float], Regularly]


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider()


@pytest.fixture
def server(provider: FakeProvider) -> Handle:
    """A server that went down."""
    image = provider.add_image(manifest("17.10"))
    port, volume = provider.ensure_port("db", "db"), provider.ensure_volume("db", 1)
    spec = ServerSpec("db", image, provider.flavors()[0], port, volume.handle, {})
    handle = provider.ensure_server(spec).handle
    provider.cut_power("db")
    return handle


@pytest.fixture
def recover(provider: FakeProvider) -> Iterator[Recover]:
    """Begin to recover, with so many seconds between."""
    begun: list[Regularly] = []

    def begin(pause: float) -> Regularly:
        begun.append(Regularly("recovery", provider.recover, pause))
        begun[-1].start()
        return begun[-1]

    yield begin
    for each in begun:
        each.stop()


def _runs(provider: FakeProvider, server: Handle) -> bool:
    return provider.inspect_server(server).state == ServerState.ACTIVE


def test_it_begins_at_once(provider: FakeProvider, server: Handle, recover: Recover) -> None:
    recover(DAY)
    until(lambda: _runs(provider, server))


def test_it_goes_on(provider: FakeProvider, server: Handle, recover: Recover) -> None:
    recover(0.01)
    for _ in range(2):
        until(lambda: _runs(provider, server))
        provider.cut_power("db")
    until(lambda: _runs(provider, server))


def test_it_goes_on_after_an_error(provider: FakeProvider, server: Handle, recover: Recover) -> None:
    for _ in range(2):
        provider.dials.fail_once("recover", ProviderError("The disk is full"))
    recover(0.01)
    until(lambda: _runs(provider, server))
    assert provider.calls["recover"] >= 3


def test_it_goes_on_when_the_record_store_was_away() -> None:
    answers: Iterator[Exception | None] = iter([OperationalError("SELECT 1", {}, Exception("away"))])
    done = threading.Event()

    def act() -> None:
        if error := next(answers, None):
            raise error
        done.set()

    regularly = Regularly("looking", act, 0.01)
    regularly.start()
    try:
        until(done.is_set)
    finally:
        regularly.stop()


def test_it_ends_when_told_to_however_long_the_pause(provider: FakeProvider, recover: Recover) -> None:
    recovery = recover(DAY)
    until(lambda: provider.calls["recover"])
    recovery.stop()
    assert "recovery" not in [thread.name for thread in threading.enumerate()]
    assert provider.calls["recover"] == 1
