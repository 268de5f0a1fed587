"""Bringing servers back: what is damaged, changed or deleted just now is left alone and holds up nobody."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from harnesses import LocalHarness, Rig, is_alive, until
from processes import in_child, last_generation

from instar.control.providers.directories import records, recovery, registry, trash
from instar.wire.errors import ProviderError
from instar.wire.states import ServerState

DAMAGED = ["", "[]", '{"name": "instance-1"}']


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_server_holds_up_no_other(
    local: LocalHarness, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    damaged, other = Rig(local), Rig(local, "instance-2")
    (local.place(damaged.handle) / "server.json").write_text(text)
    for rig in (damaged, other):
        local.cut_power(rig.handle)
    provider = local.reopen()
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            provider.recover()
    until(lambda: len(other.boots()) == 2, "the other server has booted again")
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 1, "told once, not at every round"
    assert "server.json" in told[0]
    assert "Remedy" in told[0]
    assert Rig(local, "instance-3").up().state == ServerState.ACTIVE


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_server_is_told_of_and_can_be_deleted(local: LocalHarness, text: str) -> None:
    rig = Rig(local)
    processes = last_generation(rig, 1)
    (local.place(rig.handle) / "server.json").write_text(text)
    info = local.provider.inspect_server(rig.handle)
    assert (info.state, "damaged" in info.reason) == (ServerState.ERROR, True)
    assert local.provider.find_server(rig.name) == rig.handle
    with pytest.raises(ProviderError, match="damaged"):
        local.provider.reboot_server(rig.handle, "r")
    local.provider.destroy_server(rig.handle)
    assert not any(is_alive(pid) for pid in processes)
    assert local.provider.find_server(rig.name) is None
    local.provider.destroy_volume(rig.volume.handle)
    assert local.provider.find_volume(rig.volume.handle["name"]) is None


def test_a_damaged_volume_is_told_of_and_can_be_deleted(local: LocalHarness) -> None:
    volume = local.provider.ensure_volume("v", 1).handle
    (local.data(volume).parent / "volume.json").write_text("{")
    with pytest.raises(ProviderError, match=r"volume\.json"):
        local.provider.inspect_volume(volume)
    assert local.provider.find_volume("v") == volume
    local.provider.destroy_volume(volume)
    assert local.provider.find_volume("v") is None


def test_a_machine_whose_own_record_was_lost_with_the_power_boots_again(local_rig: Rig) -> None:
    local_rig.harness.cut_power(local_rig.handle)
    (local_rig.harness.place(local_rig.handle) / "machine.json").write_text("")
    local_rig.harness.reopen().recover()
    assert local_rig.up().state == ServerState.ACTIVE


def test_a_server_that_somebody_is_changing_is_left_to_them(local_rig: Rig) -> None:
    local_rig.harness.cut_power(local_rig.handle)
    provider, place = local_rig.harness.reopen(), local_rig.harness.place(local_rig.handle)
    with records.locked(place.with_suffix(".lock")):
        provider.recover()
        assert provider.inspect_server(local_rig.handle).state == ServerState.STOPPED
    provider.recover()
    until(lambda: len(local_rig.boots()) == 2, "it is brought back afterwards")


def test_a_call_does_not_wait_for_ever_for_another_that_is_at_work(
    local_rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "LONGEST_WAIT", 0.05)
    provider, place = local_rig.harness.reopen(), local_rig.harness.place(local_rig.handle)
    with (
        records.locked(place.with_suffix(".lock")),
        pytest.raises(ProviderError, match="somebody else") as refused,
    ):
        provider.stop_server(local_rig.handle, "s")
    assert refused.value.body.retryable
    assert local_rig.up().state == ServerState.ACTIVE


def test_a_server_that_runs_is_not_touched(local_rig: Rig) -> None:
    place = local_rig.harness.place(local_rig.handle)
    before = (place / "server.json").stat()
    with records.locked(place.with_suffix(".lock")):  # so that whoever wanted it would wait for ever
        local_rig.harness.reopen().recover()
    after = (place / "server.json").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_any_number_of_workers_boot_a_server_once(local_rig: Rig) -> None:
    local_rig.harness.cut_power(local_rig.handle)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: local_rig.harness.reopen().recover(), range(8)))
    last_generation(local_rig, 2)
    local_rig.up()
    assert len(local_rig.boots()) == 2


def test_a_server_whose_deletion_was_begun_is_never_booted_again(local: LocalHarness) -> None:
    for number in range(1, 24, 3):
        rig = Rig(local, f"instance-{number}")
        in_child(lambda rig=rig: local.reopen().destroy_server(rig.handle), die_at=number)  # type: ignore[misc]
        local.reopen().recover()
        local.provider.destroy_server(rig.handle)
        assert local.provider.find_server(rig.name) is None
        assert rig.boots() == [local.images[0]]
        assert not any(is_alive(pid) for pid in rig.pids())


def test_an_interrupted_deletion_admits_nothing_but_its_repetition(local: LocalHarness) -> None:
    rig = Rig(local)
    record = records.read(local.place(rig.handle) / "server.json") or {}
    records.write(local.place(rig.handle) / "server.json", record | {"leaving": True})
    for attempt in (
        lambda: local.provider.ensure_server(rig.spec()),
        lambda: local.provider.rebuild_server(rig.handle, local.images[1], {}, "t"),
        lambda: local.provider.reboot_server(rig.handle, "r"),
    ):
        with pytest.raises(ProviderError, match="being deleted"):
            attempt()


def test_files_that_take_long_to_delete_hold_up_nobody_and_go(
    local: LocalHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(local)
    for number in range(500):
        local.write(rig.volume.handle, f"row-{number}", "")
    monkeypatch.setattr(registry, "BRIEF", 0.0)
    local.provider.destroy_server(rig.handle)
    local.provider.destroy_volume(rig.volume.handle)
    assert local.provider.find_volume(rig.volume.handle["name"]) is None
    until(lambda: remains(local) <= {"uids.lock"}, "nothing is left")


def test_what_takes_long_to_delete_holds_up_no_server(
    local_rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = local_rig.harness.settings.state_dir
    left = [state / part / ".left.gone" for part in ("servers", "volumes")]
    for path in left:
        path.mkdir()
    monkeypatch.setattr(recovery, "BRIEF", 0.0)
    provider, go_on, whole = local_rig.harness.reopen(), threading.Event(), trash.remove

    def remove(path: Path) -> None:
        if path in left:
            go_on.wait(5)
        whole(path)

    monkeypatch.setattr(trash, "remove", remove)
    local_rig.harness.cut_power(local_rig.handle)
    provider.recover()
    until(lambda: len(local_rig.boots()) == 2, "the server has booted again")
    assert all(path.exists() for path in left)
    go_on.set()
    until(lambda: not any(path.exists() for path in left), "nothing is left")


def test_what_an_interrupted_deletion_left_is_deleted_by_the_next_worker(local: LocalHarness) -> None:
    left = set()
    for number in range(1, 8):
        volume = local.provider.ensure_volume("v", 1).handle
        in_child(lambda volume=volume: local.provider.destroy_volume(volume), die_at=number)  # type: ignore[misc]
        left |= {Path(name).suffix for name in remains(local)}
        local.provider.destroy_volume(volume)
        local.provider.recover()
        assert remains(local) == set()
    assert ".gone" in left, "some were interrupted half-way"


def remains(local: LocalHarness) -> set[str]:
    """Tell what is left of servers and volumes."""
    return {
        path.name for part in ("servers", "volumes") for path in (local.settings.state_dir / part).iterdir()
    }
