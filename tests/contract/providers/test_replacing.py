"""The contract of the ability `replace`: a standby takes over volume and port, and gives them back."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import pytest
from harnesses import FILES, Rig, until

from instar.control.providers.base import Handle, ServerInfo, ServerSpec
from instar.wire.errors import NotSupported, ProviderError
from instar.wire.states import ServerState


@dataclass
class Pair:
    """A server with a port and a volume, and the standby that is to replace it."""

    rig: Rig
    standby: Handle

    def hand_over(self, *, back: bool = False) -> None:
        """Have volume and port handed over, or back, and wait until that is done."""
        old, new = (self.standby, self.rig.handle) if back else (self.rig.handle, self.standby)
        provider, volume, port = self.rig.harness.provider, self.rig.volume.handle, self.rig.port.handle
        until(lambda: provider.hand_over(old, new, volume, port).done, "handed over")

    def has_volume(self) -> str | None:
        """Name the server that has the volume."""
        info = self.rig.harness.provider.inspect_volume(self.rig.volume.handle)
        return str(info.attached_to) if info and info.attached_to else None

    def state(self, server: Handle) -> ServerState:
        """Tell how a server is."""
        info: ServerInfo = self.rig.harness.provider.inspect_server(server)
        return info.state


@pytest.fixture
def pair(rig: Rig) -> Pair:
    provider = rig.harness.provider
    if not provider.abilities.replace:
        with pytest.raises(NotSupported):
            provider.hand_over(rig.handle, rig.handle, rig.volume.handle, rig.port.handle)
        with pytest.raises(NotSupported):
            provider.ensure_server(replace(rig.spec(), name="standby", volume=None))
        pytest.skip(f"{provider.name} can't replace a server")
    port = provider.ensure_port("standby-port", "standby.example")
    flavor = provider.flavors()[0]
    spec = ServerSpec(
        f"{rig.name}-2", rig.harness.images[1], flavor, port, None, dict(FILES), takes_over=rig.port.handle
    )
    made = Pair(rig, provider.ensure_server(spec).handle)
    until(lambda: provider.ensure_server(spec).state == ServerState.ACTIVE, "the standby is ACTIVE")
    assert provider.find_server(spec.name) == made.standby
    return made


def test_a_standby_runs_beside_the_server_and_leaves_it_alone(pair: Pair) -> None:
    assert (pair.rig.up().state, pair.has_volume()) == (ServerState.ACTIVE, pair.rig.name)
    assert pair.rig.harness.provider.inspect_server(pair.standby).image == pair.rig.harness.images[1]
    assert pair.rig.boots() == [pair.rig.harness.images[0]]


def test_a_server_that_runs_hands_nothing_over(pair: Pair) -> None:
    with pytest.raises(ProviderError, match="stopped"):
        pair.hand_over()
    assert (pair.rig.up().state, pair.has_volume()) == (ServerState.ACTIVE, pair.rig.name)


def test_the_standby_finds_what_it_is_given_without_booting_again(pair: Pair) -> None:
    pair.rig.harness.write(pair.rig.volume.handle, "row", "acknowledged")
    pair.rig.stop()
    for _ in range(2):
        pair.hand_over()
    assert pair.has_volume() == f"{pair.rig.name}-2"
    until(lambda: pair.rig.boots() == pair.rig.harness.images, "the standby has found the volume")
    assert pair.rig.harness.read(pair.rig.volume.handle, "row") == "acknowledged"
    assert (pair.state(pair.rig.handle), pair.state(pair.standby)) == (
        ServerState.STOPPED,
        ServerState.ACTIVE,
    )
    pair.rig.harness.provider.recover()
    assert pair.state(pair.rig.handle) == ServerState.STOPPED


def test_what_was_handed_over_can_be_handed_back(pair: Pair) -> None:
    provider = pair.rig.harness.provider
    pair.rig.harness.scribble(pair.rig.handle)
    pair.rig.stop()
    pair.hand_over()
    until(lambda: pair.rig.boots() == pair.rig.harness.images, "the standby has found the volume")
    pair.rig.harness.write(pair.rig.volume.handle, "row", "acknowledged")
    provider.stop_server(pair.standby, "back")
    pair.hand_over(back=True)
    provider.reboot_server(pair.rig.handle, "back")
    old, new = pair.rig.harness.images
    until(lambda: pair.rig.boots() == [old, new, old], "the old server has booted again")
    assert (pair.rig.up().image, pair.has_volume()) == (old, pair.rig.name)
    assert pair.rig.harness.has_scribble(pair.rig.handle)
    assert pair.rig.harness.read(pair.rig.volume.handle, "row") == "acknowledged"
    provider.destroy_server(pair.standby)
    assert (pair.rig.up().state, pair.has_volume()) == (ServerState.ACTIVE, pair.rig.name)


def test_a_hand_over_that_was_interrupted_goes_on(pair: Pair) -> None:
    pair.rig.stop()
    pair.rig.harness.provider.detach_volume(pair.rig.handle, pair.rig.volume.handle)
    pair.hand_over()
    assert pair.has_volume() == f"{pair.rig.name}-2"


def test_a_hand_over_by_many_callers_is_one(pair: Pair) -> None:
    pair.rig.stop()

    def hand_over(_: int) -> bool:
        provider, volume, port = pair.rig.harness.reopen(), pair.rig.volume.handle, pair.rig.port.handle
        moving = lambda: provider.hand_over(pair.rig.handle, pair.standby, volume, port).done  # noqa: E731
        return bool(until(moving, "handed over"))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(hand_over, range(4)))
    assert pair.has_volume() == f"{pair.rig.name}-2"


def test_what_a_server_had_that_is_gone_can_be_given_to_another(pair: Pair) -> None:
    pair.rig.harness.provider.destroy_server(pair.rig.handle)
    pair.hand_over()
    assert pair.has_volume() == f"{pair.rig.name}-2"


def test_nothing_is_taken_for_a_server_that_is_missing(pair: Pair) -> None:
    pair.rig.stop()
    pair.rig.harness.provider.destroy_server(pair.standby)
    with pytest.raises(ProviderError):
        pair.hand_over()
    assert pair.has_volume() == pair.rig.name


def test_a_server_that_took_over_can_be_rebuilt_and_rebooted(pair: Pair) -> None:
    provider, (old, new) = pair.rig.harness.provider, pair.rig.harness.images
    pair.rig.stop()
    pair.hand_over()
    until(lambda: pair.rig.boots() == [old, new], "the standby has found the volume")
    provider.reboot_server(pair.standby, "again")
    until(lambda: pair.rig.boots() == [old, new, new], "it has booted again")
    provider.rebuild_server(pair.standby, old, dict(FILES), "rebuilt")
    until(lambda: pair.rig.boots() == [old, new, new, old], "it has booted from the other image")
    assert pair.has_volume() == f"{pair.rig.name}-2"


def test_a_snapshot_of_the_old_server_s_volume_serves_the_new_one(pair: Pair) -> None:
    provider, (old, new) = pair.rig.harness.provider, pair.rig.harness.images
    pair.rig.harness.write(pair.rig.volume.handle, "row", "synced, as the first boot's note is with it")
    kept = pair.rig.snapshot()
    pair.rig.stop()
    pair.hand_over()
    until(lambda: pair.rig.boots() == [old, new], "the standby has found the volume")
    provider.stop_server(pair.standby, "back")
    pair.rig.revert(kept)
    provider.rebuild_server(pair.standby, old, dict(FILES), "back")
    until(lambda: pair.state(pair.standby) == ServerState.ACTIVE, "it is ACTIVE")
    until(lambda: pair.rig.boots() == [old, old], "it has booted, and can write to the volume")
