"""The fake provider's dials: each failure comes as dialled, and the calls are counted."""

import pytest

from instar.control.providers.base import Handle, ServerSpec
from instar.control.providers.fake import FakeProvider
from instar.wire.agent import Manifest
from instar.wire.errors import NotFound, ProviderError
from instar.wire.states import ServerState


@pytest.fixture
def fake() -> FakeProvider:
    provider = FakeProvider()
    for name in ("old", "new"):
        provider.add_image(
            Manifest(
                digest=name, recipe=name, datastore="d", manager="d", engine_version="1", version_name="1",
                agent_version="1",
            )
        )  # fmt: skip
    return provider


def make(fake: FakeProvider, name: str = "s") -> Handle:
    port, volume = fake.ensure_port(name, "h"), fake.ensure_volume(name, 1)
    return fake.ensure_server(ServerSpec(name, "old", fake.flavors()[0], port, volume.handle, {})).handle


def test_fail_once_fails_once_and_does_nothing(fake: FakeProvider) -> None:
    server = make(fake)
    fake.dials.fail_once("rebuild_server", ProviderError("out of luck"))
    with pytest.raises(ProviderError, match="out of luck"):
        fake.rebuild_server(server, "new", {}, "t")
    assert fake.inspect_server(server).image == "old"
    assert fake.rebuild_server(server, "new", {}, "t").image == "new"
    assert fake.calls["rebuild_server"] == 2


def test_fail_always_fails_until_cleared(fake: FakeProvider) -> None:
    fake.dials.fail_always("ensure_port", ProviderError("no network"))
    for _ in range(3):
        with pytest.raises(ProviderError):
            fake.ensure_port("p", "h")
    fake.dials.clear("ensure_port")
    assert fake.ensure_port("p", "h").address


def test_timeout_but_succeed_does_the_work(fake: FakeProvider) -> None:
    server = make(fake)
    fake.dials.timeout_but_succeed("rebuild_server")
    with pytest.raises(ProviderError) as raised:
        fake.rebuild_server(server, "new", {}, "t")
    assert raised.value.body.retryable
    info = fake.rebuild_server(server, "new", {}, "t")
    assert (info.image, info.token) == ("new", "t")


@pytest.mark.parametrize("verb", ["rebuild_server", "reboot_server"])
def test_slow_takes_as_many_inquiries_as_dialled(fake: FakeProvider, verb: str) -> None:
    server = make(fake)
    booted: list[str] = []
    fake.on_boot = lambda name, image, files: booted.append(name)
    fake.dials.slow(verb, 3)
    if verb == "rebuild_server":
        fake.rebuild_server(server, "new", {}, "t")
    else:
        fake.reboot_server(server, "t")
    states = [fake.inspect_server(server).state for _ in range(3)]
    assert states == [ServerState.BUILDING, ServerState.BUILDING, ServerState.ACTIVE]
    assert booted == ["s"]


def test_slow_staging_moves(fake: FakeProvider) -> None:
    server = make(fake)
    fake.dials.slow("stage", 3)
    seen = [fake.stage(server, "new") for _ in range(3)]
    assert [staging.done for staging in seen] == [False, False, True]
    assert len({staging.moved for staging in seen}) == 3


def test_a_lost_server_is_missing_and_lets_its_volume_go(fake: FakeProvider) -> None:
    server = make(fake)
    stopped: list[str] = []
    fake.on_stop = stopped.append
    fake.lose_server("s")
    assert fake.inspect_server(server).state == ServerState.MISSING
    assert stopped == ["s"]
    fake.destroy_volume(fake.find_volume("s") or {})
    assert fake.find_volume("s") is None


def test_slow_snapshots_and_reverts_tell_how_far_they_are(fake: FakeProvider) -> None:
    volume = fake.ensure_volume("v", 1).handle
    for verb in ("snapshot_volume", "revert_volume"):
        fake.dials.slow(verb, 3)
    made = [fake.snapshot_volume(volume, "s") for _ in range(3)]
    assert [each.ready for each in made] == [False, False, True]
    assert made[0].moved < made[1].moved
    reverted = [fake.revert_volume(volume, made[2].handle) for _ in range(3)]
    assert [each.done for each in reverted] == [False, False, True]
    assert reverted[0].moved < reverted[1].moved


def test_what_guests_keep_for_a_volume_goes_back_with_it(fake: FakeProvider) -> None:
    kept = {"v": "before"}
    fake.on_snapshot = kept.get
    fake.on_revert = kept.__setitem__
    volume = fake.ensure_volume("v", 1).handle
    snapshot = fake.snapshot_volume(volume, "s").handle
    kept["v"] = "after"
    fake.revert_volume(volume, snapshot)
    assert kept == {"v": "before"}


def test_images_can_be_lost_damaged_dead_or_hold_another_agent(fake: FakeProvider) -> None:
    server, booted = make(fake), list[str]()
    fake.on_boot = lambda name, image, files: booted.append(image)
    fake.damaged.add("new")
    with pytest.raises(ProviderError, match="damaged"):
        fake.stage(server, "new")
    fake.damaged.clear()
    fake.dead.add("new")
    assert fake.rebuild_server(server, "new", {}, "t").state == ServerState.ACTIVE
    assert booted == []
    fake.swap_agent("old", "9")
    assert (fake.boots("old").agent_version, fake.image("old").manifest.agent_version) == ("9", "1")
    fake.lose_image("new")
    with pytest.raises(NotFound):
        fake.image("new")
