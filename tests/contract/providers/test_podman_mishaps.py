"""What an engine does late, or at somebody else's word, and images that it has no room or no use for."""

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import toy_system
from harnesses import FILES, Rig, until
from podman_harness import PodmanHarness

from instar.control.providers.directories import records, trash
from instar.control.providers.podman import imports
from instar.control.providers.podman.engine import Engine
from instar.control.providers.podman.imports import name_of
from instar.control.providers.podman.service import OwnService, find_service
from instar.wire.errors import ProviderError
from instar.wire.states import ServerState


@contextlib.contextmanager
def answered_late(purpose: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Have the engine do what it is asked next for a purpose, with its answer lost; gives what was asked."""
    asked: list[str] = []
    put = Engine._put

    def lose(self: Engine, said: str, question: Callable[[Any], Any]) -> Any:
        answer = put(self, said, question)
        asked.append(said)
        if said == purpose and asked.count(purpose) == 1:
            raise ProviderError("The engine did not answer", retryable=True)
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(Engine, "_put", lose)
        yield asked


def container(rig: Rig, state: str) -> str:
    (found,) = [each["Id"] for each in rig.harness.containers(rig.handle) if each["State"] == state]
    return str(found)


def running(rig: Rig) -> int:
    return sum(each["State"] == "running" for each in rig.harness.containers(rig.handle))


def test_a_start_that_was_answered_too_late_never_leaves_two_on_one_volume(
    podman: PodmanHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(podman)
    with (
        answered_late("start a container", monkeypatch) as asked,
        pytest.raises(ProviderError, match="did not answer"),
    ):
        podman.provider.rebuild_server(rig.handle, podman.images[1], dict(FILES), "t")
    late = asked.index("start a container")
    assert asked.index("remove a container", late) < asked.index("start a container", late + 1)
    assert running(rig) == 1
    assert rig.up().image == podman.images[0]
    assert rig.rebuild("t").image == podman.images[1]


def test_a_making_that_was_answered_too_late_leaves_nothing(
    podman: PodmanHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(podman)
    with answered_late("make a container", monkeypatch), pytest.raises(ProviderError, match="answer"):
        until(lambda: podman.provider.stage(rig.handle, podman.images[1]).done, "it is made")
    assert len(podman.containers(rig.handle)) == 1
    assert rig.rebuild().image == podman.images[1]


def test_a_stopped_server_that_somebody_starts_is_told_of_and_ended(podman: PodmanHarness) -> None:
    rig = Rig(podman)
    kept = rig.snapshot()
    rig.stop()
    podman.ask(lambda api: api.start(container(rig, "exited")))
    assert rig.up_or_not() != ServerState.STOPPED
    with pytest.raises(ProviderError, match="is not stopped"):
        podman.provider.revert_volume(rig.volume.handle, kept)
    until(lambda: len(rig.boots()) == 2, "the guest has booted")
    podman.provider.recover()
    assert (rig.up_or_not(), running(rig)) == (ServerState.STOPPED, 0)
    rig.revert(kept)
    podman.provider.reboot_server(rig.handle, "r")
    assert rig.up().state == ServerState.ACTIVE


def test_a_paused_server_is_not_at_rest(podman: PodmanHarness) -> None:
    rig = Rig(podman)
    podman.ask(lambda api: api.pause(container(rig, "running")))
    try:
        assert rig.up_or_not() == ServerState.BUILDING
        with pytest.raises(ProviderError, match="uses its volume"):
            podman.provider.detach_volume(rig.handle, rig.volume.handle)
    finally:
        podman.ask(lambda api: api.unpause(container(rig, "paused")))
    assert rig.up().state == ServerState.ACTIVE


def test_a_rebuild_that_is_given_up_leaves_a_stopped_server_stopped(
    podman: PodmanHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(podman)
    rig.stop()
    for token, purpose in (("t1", "stop a container"), ("t2", "put files into a container")):
        with answered_late(purpose, monkeypatch), pytest.raises(ProviderError):
            podman.provider.rebuild_server(rig.handle, podman.images[1], dict(FILES), token)
    podman.provider.recover()
    assert (rig.up_or_not(), running(rig)) == (ServerState.STOPPED, 0)
    assert rig.rebuild("t3").image == podman.images[1]


def test_folders_in_memory_do_not_take_what_the_database_needs(podman_rig: Rig) -> None:
    program = "import os; print([os.statvfs(p).f_blocks * os.statvfs(p).f_frsize for p in ('/tmp', '/run')])"
    code, said = podman_rig.harness.run(podman_rig.handle, "/usr/bin/python3", "-c", program)
    assert (code, said) == (0, f"{[24 << 20, 24 << 20]}\n")


def test_what_the_engine_shows_of_a_server_holds_no_secret(podman_rig: Rig) -> None:
    harness = podman_rig.harness
    seen = harness.ask(lambda api: api.inspect_container(container(podman_rig, "running")))
    assert "instance_id" not in str(seen)
    assert harness.injected(podman_rig.handle)


# -- images


def in_engine(podman: PodmanHarness, image: str) -> bool:
    return podman.engine.find("look", lambda api: api.inspect_image(name_of(image))) is not None


def names(podman: PodmanHarness) -> list[str]:
    label = f"{imports.IMPORTED_BY}={podman.installation}"
    found = podman.ask(lambda api: api.images(filters={"label": label}))
    return [name for each in found for name in each["RepoTags"] or ["none"]]


def test_an_image_deleted_from_the_store_leaves_the_engine_once_it_is_not_used(
    podman: PodmanHarness,
) -> None:
    image = podman.add("passing")
    podman.forget(image)
    rig = Rig(podman, image=image)
    podman.delete(image)
    podman.reopen().recover()
    assert in_engine(podman, image)
    podman.provider.rebuild_server(rig.handle, podman.images[1], dict(FILES), "t")
    podman.reopen().recover()
    assert not in_engine(podman, image)
    assert in_engine(podman, podman.images[1])


def test_what_an_import_left_whose_process_died_is_removed(podman: PodmanHarness) -> None:
    image = podman.add("abandoned")
    podman.forget(image)
    brought = podman.provider.image(image)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(imports.Imports, "_forget", lambda *_: None)
        work = podman.imports()
        until(lambda: work.advance(brought, 1.0).done, "it is brought in")
    podman.forget(image)
    assert [name for name in names(podman) if "partial" in name]
    podman.reopen().recover()
    assert not [name for name in names(podman) if "partial" in name]


def test_an_import_by_a_process_that_is_frozen_is_taken_over(
    podman: PodmanHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "STALLED", 0.1)
    rig = Rig(podman)
    image = podman.add("frozen")
    podman.forget(image)
    lock = podman.settings.state_dir / "imports" / f"{image.removeprefix('sha256:')}.import"
    handle = records.try_lock(lock, make=True)
    assert handle is not None
    os.pwrite(handle, b"99999999999", 0)
    assert podman.provider.stage(rig.handle, image).moved == 99999999999
    until(lambda: podman.provider.stage(rig.handle, image).done, "another process imports it")
    os.close(handle)


def test_a_remote_engine_is_refused() -> None:
    with pytest.raises(ProviderError, match="has to run on this machine"):
        find_service("tcp://engine.example:2375", Path("/run/instar"))


@pytest.fixture
def small_engine(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PodmanHarness]:
    """A provider whose engine has room for one toy system."""
    if lack := toy_system.why_not():
        pytest.skip(lack)
    if not isinstance(find_service(None, place / "run"), OwnService):
        pytest.skip("another engine's service answers: stop it and unset DOCKER_HOST")
    disk = place / "storage"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=90m", "none", disk]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("file systems can't be mounted here")
    configuration = place / "storage.conf"
    configuration.write_text(
        f'[storage]\ndriver = "overlay"\ngraphroot = "{disk}"\nrunroot = "{place}/storage-run"\n'
    )
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(configuration))
    harness = PodmanHarness(place, place / "run")
    yield harness
    harness.close()
    url = f"unix://{place}/run/podman.sock"
    for each in psutil.process_iter(["cmdline"]):
        if url in (each.info["cmdline"] or []):
            each.kill()
            each.wait()
    subprocess.run(["umount", "--lazy", "--recursive", disk], check=True)
    trash.remove(disk)


def test_an_engine_without_room_for_an_image_says_so_and_keeps_nothing_of_it(
    small_engine: PodmanHarness,
) -> None:
    rig = Rig(small_engine)
    with pytest.raises(ProviderError, match="no space left") as refused:
        until(lambda: small_engine.provider.stage(rig.handle, small_engine.images[1]).done, "it is refused")
    assert (refused.value.body.retryable, "free space" in refused.value.body.remedy) == (False, True)
    assert names(small_engine) == [name_of(small_engine.images[0])]
    assert rig.up().image == small_engine.images[0]


def test_the_address_of_a_server_that_is_down_leads_nowhere(podman: PodmanHarness) -> None:
    """Podman's bridge goes with the last container; a stranger beyond the default route must not be asked."""
    rig = Rig(podman)
    address = podman.provider.ensure_port("port", "host").address
    podman.provider.stop_server(rig.handle, "stop")
    asked = subprocess.run(["ip", "route", "get", address], capture_output=True, text=True, check=False)
    assert " via " not in asked.stdout, asked.stdout
    assert "No route to host" in asked.stderr or " dev br-" in asked.stdout  # Docker keeps the bridge


def disks(harness: PodmanHarness) -> list[str]:
    """Name the root disks that were kept."""
    ours = {"label": f"{imports.IMPORTED_BY}={harness.installation}"}
    names = [name for each in harness.ask(lambda api: api.images(filters=ours)) for name in each["RepoTags"]]
    return [name for name in names if name.startswith(imports.DISKS)]


def test_another_size_is_another_limit_and_root_disks_go_with_their_containers(podman_rig: Rig) -> None:
    harness, large = podman_rig.harness, podman_rig.harness.provider.flavors()[-1]
    harness.provider.resize_server(podman_rig.handle, large)
    podman_rig.up()
    number = container(podman_rig, "running")
    limits = harness.ask(lambda api: api.inspect_container(number))["HostConfig"]
    assert (limits["Memory"], limits["NanoCpus"]) == (large.ram << 20, large.vcpus * 10**9)
    harness.imports().prune()
    assert len(disks(harness)) == 1
    podman_rig.rebuild()
    harness.imports().prune()
    assert disks(harness) == []


def test_a_resize_that_was_cut_off_is_finished_by_the_next_call(
    podman: PodmanHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig, large = Rig(podman), podman.provider.flavors()[-1]
    podman.scribble(rig.handle)
    for purpose in ("keep a root disk", "start a container"):
        with answered_late(purpose, monkeypatch), pytest.raises(ProviderError, match="did not answer"):
            podman.provider.resize_server(rig.handle, large)
        podman.reopen().recover()
        assert rig.up().image == podman.images[0]
    podman.provider.resize_server(rig.handle, large)
    assert rig.up().flavor == large.id
    assert podman.has_scribble(rig.handle)
    assert running(rig) == 1
