"""What a hostile guest in a container may do, and that it gains nothing by it."""

import contextlib
import json
import os
from pathlib import Path

import psutil
import pytest
from harnesses import Rig, until
from podman_harness import PodmanHarness

from instar.control.providers.base import Provider
from instar.wire.states import ServerState

FORBIDDEN = """
import os, socket
tried = {
    "read root's files": lambda: open("/etc/secret").read(),
    "write to the system": lambda: open("/usr/bin/planted", "w"),
    "write to folders of root's": lambda: open("/etc/planted", "w"),
    "become root": lambda: os.setuid(0),
    "give a file away": lambda: os.chown("/var/lib/instar", 0, 0),
    "make a device": lambda: os.mknod("/tmp/disk", 0o60600, os.makedev(254, 0)),
    "listen to all traffic": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
    "change kernel settings": lambda: open("/proc/sys/kernel/hostname", "w"),
    "see the host's processes": lambda: open("/proc/%d/status" % HOST_PID),
    "see the host's files": lambda: open("HOST_FILE"),
    "make a user namespace": lambda: run("unshare --user --map-root-user true"),
    "make a mount namespace": lambda: run("unshare --mount true"),
}

def run(command):
    if os.system(command + " 2> /tmp/said"):
        raise OSError("refused")

done = []
for what, attempt in tried.items():
    try:
        attempt()
        done.append(what)
    except OSError:
        pass
print(done)
"""


def python(harness: PodmanHarness, rig: Rig, program: str) -> tuple[int, str]:
    return harness.run(rig.handle, "/usr/bin/python3", "-c", program)


def init_of(rig: Rig) -> psutil.Process:
    harness = rig.harness
    seen = harness.ask(lambda api: api.inspect_container(harness.running(rig.handle)))
    return psutil.Process(seen["State"]["Pid"])


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_a_guest_can_do_nothing_that_is_not_its_own(podman: PodmanHarness, place: Path) -> None:
    rig = Rig(podman)
    victim = place / "victim"
    victim.write_text("the host's")
    program = FORBIDDEN.replace("HOST_FILE", str(victim)).replace("HOST_PID", str(os.getpid()))
    code, said = python(podman, rig, program)
    assert (code, said.splitlines()[-1]) == (0, "[]"), said


def test_its_processes_have_a_uid_of_their_own_and_no_capabilities(podman: PodmanHarness) -> None:
    rigs = [Rig(podman), Rig(podman, "instance-2")]
    uids = set()
    for rig in rigs:
        init = init_of(rig)
        for process in (init, *init.children(recursive=True)):
            told = status(process.pid)
            assert {told[name].strip("0") for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")} == {""}
            assert (told["NoNewPrivs"], told["Seccomp"]) == ("1", "2")
            uids.add(told["Uid"].split()[0])
        assert podman.data(rig.volume.handle).stat().st_mode & 0o777 == 0o700
    assert len(uids) == 2
    assert str(os.getuid()) not in uids
    assert uids == {str(podman.data(rig.volume.handle).stat().st_uid) for rig in rigs}


def test_files_of_a_server_are_its_own_and_can_be_replaced(podman_rig: Rig) -> None:
    harness = podman_rig.harness
    program = "import os; os.remove('/etc/instar/image.json'); open('/etc/instar/new', 'w').write('x');"
    program += "print(oct(os.stat('/etc/instar/guest_info.conf').st_mode & 0o777))"
    assert python(harness, podman_rig, program) == (0, "0o600\n")
    program = "import os; [open(f'/{name}/x', 'w') for name in ('run', 'tmp', 'var/lib/instar/data')]"
    assert python(harness, podman_rig, program) == (0, "")


def test_the_image_on_the_root_disk_says_its_digest_and_a_guest_cannot_lie_about_it(podman_rig: Rig) -> None:
    harness = podman_rig.harness
    manifest = harness.fetch(podman_rig.handle, "etc/instar/image.json")
    assert json.loads(manifest)["digest"] == podman_rig.image
    program = "import os; os.remove('/etc/instar/image.json'); os.mkfifo('/etc/instar/image.json')"
    assert python(harness, podman_rig, program) == (0, "")
    assert harness.provider.inspect_server(podman_rig.handle).image == podman_rig.image


def test_memory_is_bounded_and_nobody_else_pays(podman: PodmanHarness) -> None:
    if not podman.provider.abilities.enforces_memory:
        pytest.skip("the kernel has no memory controller: boot with cgroup_enable=memory")
    greedy, other = Rig(podman), Rig(podman, "instance-2")
    code, _ = python(podman, greedy, "x = bytearray(300 << 20); print(sum(x[::4096]))")
    assert code != 0
    assert other.up().state == ServerState.ACTIVE
    assert len(other.boots()) == 1
    podman.provider.recover()
    assert greedy.up().state == ServerState.ACTIVE


def test_what_a_guest_leaves_behind_ends_with_its_server(podman: PodmanHarness) -> None:
    provider: Provider = podman.provider
    rig = Rig(podman)
    until(lambda: len(init_of(rig).children(recursive=True)) >= 2, "the guest has left a daemon")
    processes = [init_of(rig), *init_of(rig).children(recursive=True)]
    provider.rebuild_server(rig.handle, podman.images[1], {}, "t")
    assert not any(each.is_running() for each in processes)


def test_a_console_is_bounded(podman_rig: Rig) -> None:
    harness = podman_rig.harness
    program = "out = open('/proc/1/fd/1', 'w'); [print('x' * 99, file=out) for _ in range(60000)]"
    assert python(harness, podman_rig, program)[0] == 0
    seen = harness.ask(lambda api: api.inspect_container(harness.running(podman_rig.handle)))
    log = Path(seen["HostConfig"]["LogConfig"].get("Path") or seen["LogPath"])

    def is_short() -> bool:
        with contextlib.suppress(FileNotFoundError):  # while it is rotated
            return log.stat().st_size <= 2 << 20
        return False

    until(is_short, "the log stays short")
    assert harness.provider.console_log(podman_rig.handle, 1) == "x" * 99
