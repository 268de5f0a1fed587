"""What only servers that are processes of this machine have to show: who lives, who owns what."""

import json
import os
import signal
import stat
from pathlib import Path

import pytest
from harnesses import FILES, LocalHarness, Rig, is_alive, until
from processes import in_child, last_generation

from instar.control.providers.local.machine import supervisor
from instar.wire.errors import ProviderError
from instar.wire.states import ServerState


@pytest.fixture
def stubborn(local: LocalHarness) -> Rig:
    """A server whose daemons ignore SIGTERM."""
    return Rig(local, image=local.stubborn)


def test_no_process_of_the_old_server_outlives_a_rebuild(stubborn: Rig) -> None:
    old = last_generation(stubborn, 1)
    assert all(is_alive(pid) for pid in old)
    stubborn.rebuild()
    assert not any(is_alive(pid) for pid in old)
    assert all(is_alive(pid) for pid in last_generation(stubborn, 2))


def test_no_process_outlives_a_rebuild_after_its_machine_was_killed(stubborn: Rig) -> None:
    old = last_generation(stubborn, 1)
    stubborn.harness.cut_power(stubborn.handle)
    assert all(is_alive(pid) for pid in old)
    stubborn.rebuild()
    assert not any(is_alive(pid) for pid in old)
    assert all(is_alive(pid) for pid in last_generation(stubborn, 2))


def test_a_frozen_machine_is_replaced(local_rig: Rig) -> None:
    old = last_generation(local_rig, 1)
    os.kill(local_rig.harness.machine(local_rig.handle), signal.SIGSTOP)
    local_rig.rebuild()
    assert not any(is_alive(pid) for pid in old)


def test_a_deleted_server_leaves_nothing(local: LocalHarness) -> None:
    rigs = [Rig(local), Rig(local, "instance-2")]
    processes = [pid for rig in rigs for pid in last_generation(rig, 1)]
    uids = [local.data(rig.volume.handle).stat().st_uid for rig in rigs]
    local.cut_power(rigs[1].handle)
    for rig in rigs:
        local.provider.destroy_server(rig.handle)
        local.provider.destroy_volume(rig.volume.handle)
    assert not any(is_alive(pid) for pid in processes)
    left = {
        path.name for part in ("servers", "volumes") for path in (local.settings.state_dir / part).iterdir()
    }
    assert left <= {"uids.lock"}
    assert not [group for uid in uids for group in Path("/sys/fs/cgroup").glob(f"**/instar/*-{uid}")]


def test_a_reboot_lets_the_guest_stop_by_itself(local_rig: Rig) -> None:
    old = last_generation(local_rig, 1)
    local_rig.harness.provider.reboot_server(local_rig.handle, "r")
    last_generation(local_rig, 2)
    assert local_rig.harness.read(local_rig.volume.handle, "stops") == "old\n"
    assert not any(is_alive(pid) for pid in old)


def test_an_agent_that_dies_is_started_again(local_rig: Rig) -> None:
    agent = last_generation(local_rig, 1)[0]
    os.kill(agent, signal.SIGKILL)
    until(lambda: len(local_rig.boots()) == 2, "the agent is back")
    assert local_rig.up().state == ServerState.ACTIVE


def test_a_server_outlives_the_process_that_made_it(local: LocalHarness) -> None:
    port, volume = local.provider.ensure_port("p", "h"), local.provider.ensure_volume("instance-1-volume", 1)
    assert in_child(lambda: Rig(local))
    assert local.provider.find_port("p") == port.handle
    assert volume.handle == Rig(local).volume.handle
    assert local.boots(volume.handle) == [local.images[0]]


def test_making_a_server_can_be_killed_anywhere_and_repeated(local: LocalHarness) -> None:
    for number in range(1, 100, 9):
        name = f"instance-{number}"
        in_child(lambda name=name: Rig(local, name), die_at=number)  # type: ignore[misc]
        rig = Rig(local, name)
        assert (rig.up().image, rig.boots()) == (local.images[0], [local.images[0]])
        local.provider.destroy_server(rig.handle)
        local.provider.destroy_port(rig.port.handle)


def test_a_rebuild_can_be_killed_anywhere_and_repeated(local: LocalHarness) -> None:
    rig = Rig(local)

    def rebuild(to: str, token: str) -> None:
        LocalHarness.reopen(local).rebuild_server(rig.handle, to, dict(FILES), token)

    changes = in_child(lambda: rebuild(local.images[1], "uninterrupted"))
    assert changes > 10
    for count, die_at in enumerate(range(1, changes + 1, max(1, changes // 12)), start=3):
        last_generation(rig, count - 1)
        image, token = local.images[count % 2], f"token-{die_at}"
        assert in_child(lambda image=image, token=token: rebuild(image, token), die_at) == 0  # type: ignore[misc]
        rebuild(image, token)
        assert (rig.up().image, rig.up().token) == (image, token)
        last_generation(rig, count)
    assert all(is_alive(pid) for pid in rig.pids()[-4:])
    assert not any(is_alive(pid) for pid in rig.pids()[:-4])


def test_a_machine_killed_while_it_takes_over_is_replaced(local: LocalHarness) -> None:
    rig = Rig(local)
    last_generation(rig, 1)
    for number in range(5):
        token, image = f"t{number}", local.images[(number + 1) % 2]
        local.provider.rebuild_server(rig.handle, image, dict(FILES), token)
        if machine := local.machine(rig.handle):
            os.kill(machine, signal.SIGKILL)

        def is_done(token: str = token, image: str = image) -> bool:
            info = local.provider.rebuild_server(rig.handle, image, dict(FILES), token)
            return (info.state, info.image, info.token) == (ServerState.ACTIVE, image, token)

        until(is_done, "a repeat has finished the rebuild")
    until(lambda: rig.boots()[-1] == image, "the last guest has booted")
    until(lambda: len([pid for pid in rig.pids() if is_alive(pid)]) == 4, "one guest is left")


def test_a_boot_finds_run_empty_and_the_old_root_is_cleared_away(local_rig: Rig, place: Path) -> None:
    root = local_rig.harness.place(local_rig.handle) / "root"
    (root / "run" / "stale.pid").write_text("1")
    local_rig.harness.provider.reboot_server(local_rig.handle, "r")
    local_rig.up()
    assert not list((root / "run").iterdir())
    local_rig.rebuild()
    trash = root.parent / "trash"
    until(lambda: not list(trash.iterdir()), "the trash is empty")


def test_files_belong_to_the_server_alone(local_rig: Rig) -> None:
    place = local_rig.harness.place(local_rig.handle)
    injected, root = (place / "root" / next(iter(FILES))).stat(), (place / "root").stat()
    assert stat.S_IMODE(injected.st_mode) == 0o600
    assert stat.S_IMODE(root.st_mode) == 0o700
    data = local_rig.harness.data(local_rig.volume.handle).stat()
    assert injected.st_uid == root.st_uid == data.st_uid
    uid = int(
        Path(f"/proc/{last_generation(local_rig, 1)[0]}/status").read_text().split("Uid:")[1].split()[0]
    )
    assert uid == data.st_uid
    assert (uid == os.getuid()) == (os.getuid() != 0)
    manifest = json.loads((place / "root/etc/instar/image.json").read_text())
    assert manifest["digest"] == local_rig.image


def test_servers_have_different_uids(local: LocalHarness) -> None:
    owners = [local.data(Rig(local, f"instance-{number}").volume.handle).stat().st_uid for number in range(3)]
    assert len(set(owners)) == (3 if os.getuid() == 0 else 1)


@pytest.mark.skipif(os.getuid() != 0, reason="without root, servers run under our own uid")
def test_a_state_directory_that_servers_cannot_pass_is_refused(local: LocalHarness, place: Path) -> None:
    place.chmod(0o700)
    with pytest.raises(ProviderError, match=r"chmod o\+x"):
        Rig(local)


def test_a_damaged_image_is_told_of(local: LocalHarness) -> None:
    damaged = local.settings.image_dir / local.images[1].removeprefix("sha256:")
    (damaged / "manifest.json").write_text("{")
    with pytest.raises(ProviderError, match="damaged"):
        local.provider.image(local.images[1])
    assert local.images[0] in [image.ref for image in local.provider.images()]
    assert local.images[1] not in [image.ref for image in local.provider.images()]


def test_a_long_console_is_kept_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "CONSOLE_LIMIT", 10)
    console = tmp_path / "console.log"
    for text in ("0123456789", "abcdefghijkl", "z"):
        with console.open("a") as file:
            file.write(text)
        supervisor.rotate(console)
    assert console.read_text() == "z"
    assert (tmp_path / "console.log.1").read_text() == "cdefghijkl"
