"""The contract of providers: every rule of `providers/base.py`, for every provider."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from harnesses import FILES, PARAMETERS, Harness, Rig, until
from harnesses import snapshot as make_snapshot

from instar.control.providers.base import FlavorSpec, ServerInfo
from instar.wire.errors import BadRequest, NotFound, NotSupported, ProviderError
from instar.wire.states import ServerState


def names(handle: dict[str, object]) -> object:
    return handle["provider"], handle["v"]


# images and flavors


def test_an_image_in_the_store_is_listed_and_found_with_its_manifest(harness: Harness) -> None:
    assert set(harness.images) <= {image.ref for image in harness.provider.images()}
    found = harness.provider.image(harness.images[0])
    assert (found.ref, found.manifest.digest, found.manifest.recipe) == (harness.images[0],) * 2 + ("old",)


@pytest.mark.parametrize("ref", ["sha256:" + "0" * 64, "../../etc", ""])
def test_an_unknown_image_is_not_found(harness: Harness, ref: str) -> None:
    with pytest.raises(NotFound):
        harness.provider.image(ref)


def test_an_image_tells_which_settings_its_engine_knows(harness: Harness) -> None:
    assert [harness.provider.parameters(ref) for ref in harness.images] == [[], PARAMETERS]
    with pytest.raises(NotFound):
        harness.provider.parameters("sha256:" + "0" * 64)


def test_a_damaged_image_is_refused_before_any_downtime(rig: Rig) -> None:
    rig.harness.damage(rig.harness.images[1])
    for attempt in (
        lambda: rig.harness.provider.stage(rig.handle, rig.harness.images[1]),
        lambda: rig.harness.provider.rebuild_server(rig.handle, rig.harness.images[1], {}, "t"),
    ):
        with pytest.raises(ProviderError, match="damaged") as refused:
            attempt()
        assert not refused.value.body.retryable
    assert (rig.up().image, rig.boots()) == (rig.harness.images[0], [rig.harness.images[0]])


def test_flavors_have_ids_of_their_own(harness: Harness) -> None:
    flavors = harness.provider.flavors()
    assert len({flavor.id for flavor in flavors}) == len(flavors) >= 1
    assert all(flavor.ram > 0 and flavor.vcpus > 0 for flavor in flavors)


# ports


def test_a_port_is_made_once_and_kept(harness: Harness) -> None:
    port = harness.provider.ensure_port("one", "one.example")
    assert harness.reopen().ensure_port("one", "one.example") == port
    assert port.hostname == "one.example"
    assert harness.provider.find_port("one") == port.handle
    assert harness.provider.ensure_port("two", "two.example").address != port.address


def test_ports_made_at_once_have_different_addresses(harness: Harness) -> None:
    with ThreadPoolExecutor(8) as pool:
        ports = list(pool.map(lambda number: harness.reopen().ensure_port(f"p{number % 8}", "h"), range(16)))
    assert len({port.address for port in ports}) == 8


def test_a_destroyed_port_gives_its_address_back(harness: Harness) -> None:
    ports = [harness.provider.ensure_port(f"p{number}", "h") for number in range(harness.addresses)]
    with pytest.raises(ProviderError) as refused:
        harness.provider.ensure_port("one too many", "h")
    assert not refused.value.body.retryable
    for _ in range(2):
        harness.provider.destroy_port(ports[3].handle)
    assert harness.provider.find_port("p3") is None
    assert harness.provider.ensure_port("again", "h").address == ports[3].address


# volumes


def test_a_volume_is_made_once_and_kept(harness: Harness) -> None:
    volume = harness.provider.ensure_volume("v", 2)
    harness.write(volume.handle, "row", "1")
    again = harness.reopen().ensure_volume("v", 2)
    assert (again.handle, again.id, again.size, again.attached_to) == (volume.handle, volume.id, 2, None)
    assert harness.read(again.handle, "row") == "1"
    assert harness.provider.find_volume("v") == volume.handle


def test_a_volume_without_room_is_refused_and_leaves_nothing(harness: Harness) -> None:
    with pytest.raises(ProviderError) as refused:
        harness.provider.ensure_volume("v", 1_000_000)
    assert refused.value.body.seen
    assert harness.provider.find_volume("v") is None


def test_a_missing_volume_is_told_of_and_destroyed_without_complaint(harness: Harness) -> None:
    handle = harness.provider.ensure_volume("v", 1).handle
    harness.provider.destroy_volume(handle)
    harness.provider.destroy_volume(handle)
    assert harness.provider.inspect_volume(handle) is None
    assert harness.provider.find_volume("v") is None
    with pytest.raises(ProviderError):
        harness.provider.snapshot_volume(handle, "s")


def test_a_volume_grows_and_does_not_shrink(harness: Harness) -> None:
    handle = harness.provider.ensure_volume("v", 1).handle
    assert harness.provider.extend_volume(handle, 3).size == 3
    with pytest.raises(ProviderError):
        harness.provider.extend_volume(handle, 2)
    info = harness.provider.inspect_volume(handle)
    assert info is not None
    assert info.size == 3


def test_a_snapshot_keeps_its_moment(harness: Harness) -> None:
    volume = harness.provider.ensure_volume("v", 1).handle
    harness.write(volume, "row", "before")
    until(lambda: harness.provider.snapshot_volume(volume, "s").ready, "the snapshot is ready")
    harness.write(volume, "row", "after")
    harness.write(volume, "new", "after")
    snapshot = harness.reopen().snapshot_volume(volume, "s")
    assert snapshot.ready
    assert snapshot.instant == harness.provider.abilities.instant_snapshots
    clone = harness.provider.clone_volume(snapshot.handle, "c")
    assert harness.read(clone.handle, "row") == "before"
    for _ in range(2):
        harness.write(volume, "new", "after")
        until(lambda: harness.provider.revert_volume(volume, snapshot.handle).done, "it is reverted")
        assert (harness.read(volume, "row"), harness.read(volume, "new")) == ("before", None)


def test_snapshots_are_listed_and_found_until_they_are_deleted(harness: Harness) -> None:
    volume = harness.provider.ensure_volume("v", 1).handle
    assert harness.provider.snapshots(volume) == []
    one, two = (make_snapshot(harness.provider, volume, name) for name in ("one", "two"))
    listed = [(each.handle, each.ready) for each in harness.reopen().snapshots(volume)]
    assert listed in ([(one, True), (two, True)], [(two, True), (one, True)])
    assert harness.provider.find_snapshot(volume, "two") == two
    harness.provider.destroy_snapshot(one)
    assert harness.provider.find_snapshot(volume, "one") is None
    with pytest.raises(ProviderError, match="gone"):
        harness.provider.revert_volume(volume, one)
    harness.provider.destroy_volume(volume)
    assert harness.provider.snapshots(volume) == []
    assert harness.provider.find_snapshot(volume, "two") is None


def test_a_snapshot_made_by_many_callers_is_one(harness: Harness) -> None:
    volume = harness.provider.ensure_volume("v", 1).handle
    harness.write(volume, "row", "before")
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: make_snapshot(harness.reopen(), volume), range(4)))
    assert made == [made[0]] * 4
    assert [each.handle for each in harness.provider.snapshots(volume)] == [made[0]]


def test_a_snapshot_of_a_running_server_is_a_way_back_once_that_is_stopped(rig: Rig) -> None:
    provider, volume = rig.harness.provider, rig.volume.handle
    rig.harness.write(volume, "row", "before")
    snapshot = rig.snapshot()
    rig.harness.write(volume, "row", "after")
    rig.rebuild()
    with pytest.raises(ProviderError, match="not stopped"):
        provider.revert_volume(volume, snapshot)
    assert rig.harness.read(volume, "row") == "after"
    rig.stop()
    for _ in range(2):
        rig.revert(snapshot)
        assert rig.harness.read(volume, "row") == "before"
    assert provider.inspect_volume(volume).attached_to == rig.name
    assert rig.boots() == [rig.harness.images[0]]
    provider.rebuild_server(rig.handle, rig.harness.images[0], dict(FILES), "back")
    rig.up()
    until(lambda: len(rig.boots()) == 2, "the guest can write to the volume again")


def test_a_server_that_went_down_by_itself_is_not_stopped(rig: Rig) -> None:
    snapshot = rig.snapshot()
    rig.harness.cut_power(rig.handle)
    with pytest.raises(ProviderError, match="not stopped"):
        rig.harness.provider.revert_volume(rig.volume.handle, snapshot)


def test_a_clone_is_made_once_and_is_its_own(harness: Harness) -> None:
    volume = harness.provider.ensure_volume("v", 1).handle
    harness.write(volume, "row", "before")
    snapshot = make_snapshot(harness.provider, volume)
    clone = harness.provider.clone_volume(snapshot, "c").handle
    harness.write(clone, "row", "changed")
    harness.provider.destroy_snapshot(snapshot)
    harness.provider.destroy_snapshot(snapshot)
    harness.provider.destroy_volume(volume)
    assert harness.read(clone, "row") == "changed"
    info = harness.provider.inspect_volume(clone)
    assert info is not None
    assert info.size == 1


def test_a_volume_has_one_server_at_most(rig: Rig) -> None:
    provider, volume = rig.harness.provider, rig.volume.handle
    attached = provider.inspect_volume(volume)
    assert attached.attached_to == rig.name
    with pytest.raises(ProviderError, match=rig.name):
        provider.destroy_volume(volume)
    provider.attach_volume(rig.handle, volume)
    with pytest.raises(ProviderError):
        provider.attach_volume(rig.handle, provider.ensure_volume("other", 1).handle)
    provider.destroy_server(rig.handle)
    assert provider.inspect_volume(volume).attached_to is None


# servers


def test_a_server_is_made_once_by_any_number_of_callers(harness: Harness) -> None:
    rig = Rig(harness)
    with ThreadPoolExecutor(4) as pool:
        infos = list(pool.map(lambda _: harness.reopen().ensure_server(rig.spec()), range(4)))
    assert {repr(info) for info in infos} == {repr(rig.up())}
    assert rig.boots() == [harness.images[0]]


def test_a_server_that_is_up_tells_its_image_and_has_its_files(rig: Rig) -> None:
    info = rig.up()
    assert (info.image, info.token) == (rig.harness.images[0], "")
    assert names(info.handle) == (rig.harness.provider.name, 1)
    assert rig.harness.injected(rig.handle) == FILES
    assert rig.harness.provider.find_server(rig.name) == info.handle


def test_a_missing_server_is_told_of_and_destroyed_without_complaint(rig: Rig) -> None:
    provider = rig.harness.provider
    for _ in range(2):
        provider.destroy_server(rig.handle)
    assert provider.inspect_server(rig.handle).state == ServerState.MISSING
    assert provider.find_server(rig.name) is None
    with pytest.raises(ProviderError):
        provider.rebuild_server(rig.handle, rig.harness.images[1], {}, "t")


def test_an_unknown_image_leaves_no_server(harness: Harness) -> None:
    rig = Rig(harness)
    with pytest.raises(NotFound):
        harness.provider.rebuild_server(rig.handle, "sha256:" + "0" * 64, {}, "t")
    assert rig.up().image == harness.images[0]


def test_a_file_outside_the_root_is_refused(rig: Rig) -> None:
    with pytest.raises(BadRequest, match="files"):
        rig.harness.provider.rebuild_server(rig.handle, rig.harness.images[1], {"../../x": ""}, "t")
    assert rig.up().image == rig.harness.images[0]


def test_a_rebuild_replaces_the_root_disk_and_keeps_port_and_volume(rig: Rig) -> None:
    provider = rig.harness.provider
    rig.harness.scribble(rig.handle)
    rig.harness.write(rig.volume.handle, "row", "acknowledged")
    info = rig.rebuild("first")
    assert (info.image, info.token) == (rig.harness.images[1], "first")
    assert not rig.harness.has_scribble(rig.handle)
    assert rig.harness.injected(rig.handle) == FILES
    assert rig.harness.read(rig.volume.handle, "row") == "acknowledged"
    assert provider.ensure_port(f"{rig.name}-port", "other") == rig.port
    assert provider.inspect_volume(rig.volume.handle).attached_to == rig.name
    until(lambda: rig.boots() == rig.harness.images, "the new guest has the volume")


def test_a_rebuild_happens_once_for_each_token(rig: Rig) -> None:
    rig.rebuild("first")
    until(lambda: len(rig.boots()) == 2, "the new guest has booted")
    rig.harness.scribble(rig.handle)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: rig.rebuild("first"), range(3)))
    assert rig.harness.has_scribble(rig.handle)
    assert len(rig.boots()) == 2
    rig.rebuild("second")
    assert not rig.harness.has_scribble(rig.handle)
    until(lambda: len(rig.boots()) == 3, "the second rebuild has booted")


def test_a_rebuild_that_arrives_after_a_newer_one_changes_nothing(rig: Rig) -> None:
    provider, (old, new) = rig.harness.provider, rig.harness.images
    for count, (token, image) in enumerate((("first", new), ("second", old)), start=2):
        provider.rebuild_server(rig.handle, image, dict(FILES), token)
        rig.up()
        until(lambda count=count: len(rig.boots()) == count, f"{token} has booted")  # type: ignore[misc]
    rig.harness.scribble(rig.handle)
    late = provider.rebuild_server(rig.handle, new, dict(FILES), "first")
    assert (late.state, late.image, late.token) == (ServerState.ACTIVE, old, "second")
    assert rig.harness.has_scribble(rig.handle)
    assert len(rig.boots()) == 3


def test_a_reboot_that_arrives_after_a_newer_one_changes_nothing(rig: Rig) -> None:
    for count, token in enumerate(("r1", "r2"), start=2):
        rig.harness.provider.reboot_server(rig.handle, token)
        until(lambda count=count: len(rig.boots()) == count, "the server has booted again")  # type: ignore[misc]
    rig.up()
    assert rig.harness.provider.reboot_server(rig.handle, "r1").state == ServerState.ACTIVE
    assert len(rig.boots()) == 3


def test_a_staged_image_is_used_and_staging_may_be_repeated(rig: Rig) -> None:
    provider = rig.harness.provider
    for _ in range(2):
        until(lambda: provider.stage(rig.handle, rig.harness.images[1]).done, "the image is staged")
    assert rig.up().image == rig.harness.images[0]
    assert rig.rebuild().image == rig.harness.images[1]
    until(lambda: provider.stage(rig.handle, rig.harness.images[0]).done, "another image is staged")


def test_a_reboot_keeps_the_root_disk_and_happens_once_for_each_token(rig: Rig) -> None:
    provider = rig.harness.provider
    rig.harness.scribble(rig.handle)
    for _ in range(3):
        provider.reboot_server(rig.handle, "r1")
        rig.up()
    until(lambda: len(rig.boots()) == 2, "the server has booted again")
    assert rig.harness.has_scribble(rig.handle)
    assert rig.up().token == ""
    provider.reboot_server(rig.handle, "r2")
    until(lambda: len(rig.boots()) == 3, "the server has booted a third time")


def test_a_stopped_server_stays_down_until_it_is_rebooted(rig: Rig) -> None:
    provider = rig.harness.provider
    rig.rebuild("before")
    rig.harness.scribble(rig.handle)
    for _ in range(2):
        rig.stop()
        rig.harness.reopen().recover()
        provider.rebuild_server(rig.handle, rig.harness.images[1], dict(FILES), "before")
        assert provider.ensure_server(rig.spec()).state == ServerState.STOPPED
    boots = rig.boots()
    for _ in range(2):
        provider.reboot_server(rig.handle, "r")
        rig.up()
    until(lambda: len(rig.boots()) == len(boots) + 1, "the server has booted again")
    assert rig.harness.has_scribble(rig.handle)
    late = provider.stop_server(rig.handle, "s")
    assert (late.state, late.image) == (ServerState.ACTIVE, rig.harness.images[1])
    rig.stop("another")


def test_a_server_that_lost_its_power_can_be_stopped_and_rebuilt(rig: Rig) -> None:
    rig.harness.cut_power(rig.handle)
    rig.stop()
    rig.harness.reopen().recover()
    assert rig.harness.provider.inspect_server(rig.handle).state == ServerState.STOPPED
    assert rig.rebuild().image == rig.harness.images[1]


def test_a_stopped_server_can_be_destroyed(rig: Rig) -> None:
    rig.stop()
    rig.harness.provider.destroy_server(rig.handle)
    assert rig.harness.provider.inspect_server(rig.handle).state == ServerState.MISSING
    with pytest.raises(ProviderError):
        rig.harness.provider.stop_server(rig.handle, "again")


def test_recover_boots_what_went_down_and_leaves_the_rest_alone(rig: Rig) -> None:
    other = Rig(rig.harness, "instance-2")
    rig.harness.cut_power(rig.handle)
    stopped: ServerInfo = rig.harness.provider.inspect_server(rig.handle)
    assert stopped.state == ServerState.STOPPED
    for _ in range(2):
        rig.harness.reopen().recover()
    assert rig.up().image == rig.harness.images[0]
    until(lambda: len(rig.boots()) == 2, "the server has booted again")
    assert len(other.boots()) == 1


def test_the_console_shows_the_last_lines(rig: Rig) -> None:
    provider = rig.harness.provider
    until(lambda: "boot" in provider.console_log(rig.handle, 10), "the guest's words are on the console")
    assert provider.console_log(rig.handle, 0) == ""
    rig.rebuild()
    until(lambda: len(provider.console_log(rig.handle, 10).splitlines()) > 1, "both boots are there")
    assert len(provider.console_log(rig.handle, 1).splitlines()) == 1


def test_a_resized_server_keeps_its_root_disk_its_port_and_its_volume(rig: Rig) -> None:
    provider = rig.harness.provider
    small, large = provider.flavors()[0], provider.flavors()[-1]
    assert rig.up().flavor in (small.id, None)
    assert small.id != large.id
    rig.harness.scribble(rig.handle)
    rig.harness.write(rig.volume.handle, "row", "acknowledged")
    for resized, size in enumerate((large, small), 1):
        resize(rig, size)
        assert rig.up().flavor in (size.id, None)
        for _ in range(2):
            rig.harness.reopen().resize_server(rig.handle, size)
        assert rig.up().state == ServerState.ACTIVE
        assert len(until(rig.boots, "the guest has booted")) <= 1 + resized, "it is resized once"
    assert rig.up().image == rig.harness.images[0]
    assert rig.harness.has_scribble(rig.handle)
    assert rig.harness.injected(rig.handle) == FILES
    assert rig.harness.read(rig.volume.handle, "row") == "acknowledged"
    assert provider.inspect_volume(rig.volume.handle).attached_to == rig.name
    resize(rig, large)
    assert rig.rebuild().flavor in (large.id, None)


def resize(rig: Rig, flavor: FlavorSpec) -> None:
    """Resize the server, and repeat that until it is done."""
    resized = lambda: rig.harness.provider.resize_server(rig.handle, flavor)  # noqa: E731
    until(lambda: resized().state == ServerState.ACTIVE, "the server has its size")


def test_a_stopped_server_is_not_resized(rig: Rig) -> None:
    rig.stop()
    with pytest.raises(ProviderError, match="stopped"):
        rig.harness.provider.resize_server(rig.handle, rig.harness.provider.flavors()[-1])
    assert rig.up_or_not() == ServerState.STOPPED


@pytest.mark.parametrize(
    "foreign", [{}, {"provider": "elsewhere", "v": 1, "kind": "server", "key": "../../etc"}]
)
def test_a_foreign_handle_is_refused(harness: Harness, foreign: dict[str, object]) -> None:
    with pytest.raises(ProviderError, match="handle"):
        harness.provider.inspect_server(foreign)
    with pytest.raises(ProviderError, match="handle"):
        harness.provider.destroy_volume(foreign)


def test_tags_that_no_image_has_stand_for_none(harness: Harness) -> None:
    with contextlib.suppress(NotSupported):  # where images have no tags
        assert harness.provider.newest_image(["no image", "has these"]) is None
