"""What only containers have to show: what a crash leaves, and what happens behind our back in the engine."""

import logging
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import toy_system
from harnesses import FILES, Rig, until
from podman_harness import PodmanHarness

from instar.control.providers.podman import servers
from instar.control.providers.podman.containers import hardware_address
from instar.control.providers.podman.engine import Engine
from instar.control.providers.podman.imports import name_of
from instar.control.providers.podman.service import OwnService, find_service
from instar.wire.errors import ProviderError
from instar.wire.states import ServerState


def dies_at(work: Callable[[], object], number: int) -> bool:
    """Do work in a process that is killed before its `number`-th question to the engine; False: it ended."""
    if (pid := os.fork()) == 0:
        asked, put = 0, Engine._put

        def count(self: Engine, purpose: str, question: Callable[[Any], Any]) -> Any:
            nonlocal asked
            asked += 1
            if asked == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return put(self, purpose, question)

        try:
            Engine._put = count  # type: ignore[method-assign]
            work()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def running(rig: Rig) -> int:
    return sum(each["State"] == "running" for each in rig.harness.containers(rig.handle))


def test_a_rebuild_can_be_killed_at_every_question_and_repeated(podman: PodmanHarness) -> None:
    rig = Rig(podman)
    podman.write(rig.volume.handle, "row", "acknowledged")
    for number in range(1, 100, 3):
        image, token = podman.images[number % 2], f"t{number}"

        def rebuild(image: str = image, token: str = token) -> None:
            podman.reopen().rebuild_server(rig.handle, image, dict(FILES), token)

        killed = dies_at(rebuild, number)
        assert running(rig) <= 1
        if number % 2:
            podman.reopen().recover()
            rig.up()
        rebuild()
        info = rig.up()
        assert (info.image, info.token) == (image, token)
        assert running(rig) == 1
        until(lambda image=image: rig.boots()[-1] == image, "the new guest has booted")  # type: ignore[misc]
        if not killed:
            break
    assert number > 8
    podman.provider.recover()
    assert len(podman.containers(rig.handle)) == 1
    assert podman.read(rig.volume.handle, "row") == "acknowledged"


def test_making_stopping_and_deleting_can_be_killed_at_every_question(podman: PodmanHarness) -> None:
    rig = Rig(podman)
    provider, spec = podman.provider, rig.spec()
    works: list[tuple[Callable[[], object], ServerState]] = [
        (lambda: podman.reopen().destroy_server(rig.handle), ServerState.MISSING),
        (lambda: podman.reopen().ensure_server(spec), ServerState.ACTIVE),
        (lambda: podman.reopen().stop_server(rig.handle, "s"), ServerState.STOPPED),
        (lambda: podman.reopen().reboot_server(rig.handle, "r"), ServerState.ACTIVE),
    ]
    for work, state in works:
        for number in range(1, 30, 2):
            killed = dies_at(work, number)
            assert running(rig) <= 1
            podman.reopen().recover()
            if not killed:
                break
        work()
        assert provider.inspect_server(rig.handle).state == state
        assert len(podman.containers(rig.handle)) == (state != ServerState.MISSING)


def test_a_new_container_that_does_not_start_leaves_the_old_one_running(podman: PodmanHarness) -> None:
    rig = Rig(podman)
    broken = podman.add("broken", init="")
    until(lambda: podman.provider.stage(rig.handle, broken).done, "the image is staged")
    with pytest.raises(ProviderError, match="start"):
        podman.provider.rebuild_server(rig.handle, broken, dict(FILES), "t")
    info = rig.up()
    assert (info.image, info.token, len(podman.containers(rig.handle))) == (podman.images[0], "", 1)
    until(lambda: len(rig.boots()) == 2, "the old guest has booted again")
    rig.stop()
    with pytest.raises(ProviderError, match="start"):
        podman.provider.rebuild_server(rig.handle, broken, dict(FILES), "t2")
    podman.provider.recover()
    assert rig.up_or_not() == ServerState.STOPPED
    assert rig.rebuild("t3").image == podman.images[1]


def test_a_container_removed_behind_our_back_is_told_of_and_rebuilt(
    podman: PodmanHarness, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(podman)
    podman.write(rig.volume.handle, "row", "acknowledged")
    podman.ask(lambda api: api.remove_container(podman.running(rig.handle), force=True))
    info = podman.provider.inspect_server(rig.handle)
    assert (info.state, "rebuild" in info.reason) == (ServerState.ERROR, True)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            podman.provider.recover()
    assert len([record for record in caplog.records if "is gone" in record.getMessage()]) == 1
    assert rig.rebuild().image == podman.images[1]
    assert podman.read(rig.volume.handle, "row") == "acknowledged"


def test_a_network_removed_behind_our_back_is_made_again_with_its_addresses(podman: PodmanHarness) -> None:
    rig = Rig(podman)
    podman.ask(lambda api: api.remove_container(podman.running(rig.handle), force=True))
    for each in podman.networks():
        podman.ask(lambda api, name=each: api.remove_network(name))
    assert rig.rebuild().state == ServerState.ACTIVE
    (container,) = podman.containers(rig.handle)
    (seen,) = container["NetworkSettings"]["Networks"].values()
    assert seen["IPAddress"] == rig.port.address


def test_neighbours_of_an_address_need_not_notice_a_rebuild(podman_rig: Rig) -> None:
    def link() -> dict[str, str]:
        (container,) = podman_rig.harness.containers(podman_rig.handle)
        seen = podman_rig.harness.ask(lambda api: api.inspect_container(container["Id"]))
        (network,) = seen["NetworkSettings"]["Networks"].values()
        return {name: network[name] for name in ("IPAddress", "MacAddress")}

    before = link()
    podman_rig.rebuild()
    assert link() == before
    assert before["MacAddress"] == hardware_address(podman_rig.port.address)


def test_an_image_changed_in_its_middle_is_refused_and_forgotten(podman: PodmanHarness) -> None:
    rig = Rig(podman)
    changed = podman.add("changed")
    content = podman.settings.image_dir / changed.removeprefix("sha256:") / "rootfs.tar"
    whole = content.read_bytes()
    content.unlink()
    content.write_bytes(whole.replace(b"booted changed", b"booted CHANGED"))
    podman.forget(changed)
    with pytest.raises(ProviderError, match="damaged") as refused:
        until(lambda: podman.provider.stage(rig.handle, changed).done, "it is refused")
    assert not refused.value.body.retryable
    assert podman.engine.find("look", lambda api: api.inspect_image(name_of(changed))) is None
    assert rig.up().image == podman.images[0]
    content.write_bytes(whole)
    until(lambda: podman.provider.stage(rig.handle, changed).done, "mended, it is taken")


def test_an_import_whose_process_died_is_made_anew(podman: PodmanHarness) -> None:
    rig = Rig(podman)
    image = podman.add("slow")
    podman.forget(image)
    dies_at(lambda: podman.reopen().stage(rig.handle, image), 5)
    until(lambda: podman.provider.stage(rig.handle, image).done, "the image is staged")


def test_a_guest_that_ignores_its_end_is_killed(
    podman: PodmanHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "STOP_PATIENCE", 1.0)
    rig = Rig(podman, image=podman.add("stubborn", stubborn=True))
    rig.stop()
    assert running(rig) == 0
    podman.provider.reboot_server(rig.handle, "r")
    assert rig.rebuild().image == podman.images[1]


def test_a_stop_lets_the_guest_stop_by_itself(podman_rig: Rig) -> None:
    podman_rig.stop()
    assert podman_rig.harness.read(podman_rig.volume.handle, "stops") == "old\n"


def test_an_agent_that_dies_is_started_again(podman_rig: Rig) -> None:
    inside = "import os; [os.kill(int(p), 9) for p in os.listdir('/proc') if p.isdigit() and p != '1' and"
    inside += " b'agent' in open(f'/proc/{p}/cmdline','rb').read() and int(p) != os.getpid()]"
    podman_rig.harness.run(
        podman_rig.handle, "/usr/bin/python3", "-c", inside.replace("agent", "guest-agent")
    )
    until(lambda: len(podman_rig.boots()) == 2, "the agent is back")


def test_installations_on_one_engine_stay_apart(podman: PodmanHarness, tmp_path: Path) -> None:
    other = PodmanHarness(tmp_path)
    try:
        rigs = [Rig(podman), Rig(other)]
        assert rigs[0].port.address != rigs[1].port.address
        podman.cut_power(rigs[0].handle)
        other.reopen().recover()
        assert rigs[0].up_or_not() == ServerState.STOPPED
        other.provider.destroy_server(rigs[1].handle)
        podman.provider.recover()
        assert rigs[0].up().state == ServerState.ACTIVE
    finally:
        other.close()


def test_a_volume_is_detached_from_a_stopped_server_only(podman_rig: Rig) -> None:
    provider, volume = podman_rig.harness.provider, podman_rig.volume.handle
    with pytest.raises(ProviderError, match="uses its volume"):
        provider.detach_volume(podman_rig.handle, volume)
    podman_rig.stop()
    provider.detach_volume(podman_rig.handle, volume)
    assert provider.inspect_volume(volume).attached_to is None
    with pytest.raises(ProviderError, match="another volume"):
        provider.reboot_server(podman_rig.handle, "r")
    provider.attach_volume(podman_rig.handle, volume)
    provider.reboot_server(podman_rig.handle, "r2")
    until(lambda: len(podman_rig.boots()) == 2, "the server has booted with its volume")


def test_where_the_engine_names_no_users_we_do(
    podman: PodmanHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Engine, "names_users", False)
    rig = Rig(podman)
    assert podman.run(rig.handle, "/usr/bin/id", "-un") == (0, "instar\n")


@pytest.fixture
def own_service(place: Path) -> Iterator[PodmanHarness]:
    """A provider whose engine service is its own, to be killed."""
    if lack := toy_system.why_not():
        pytest.skip(lack)
    if not isinstance(find_service(None, place / "run"), OwnService):
        pytest.skip("another engine's service answers: stop it and unset DOCKER_HOST")
    harness = PodmanHarness(place, place / "run")
    yield harness
    harness.close()
    kill_service(harness)
    shutil.rmtree(OwnService(place / "run").uploads)


def kill_service(harness: PodmanHarness) -> None:
    url = f"unix://{harness.settings.run_dir}/podman.sock"
    found = [each for each in psutil.process_iter(["cmdline"]) if url in (each.info["cmdline"] or [])]
    assert found
    for each in found:
        each.kill()


def test_the_engine_service_is_started_again_and_servers_do_not_mind(own_service: PodmanHarness) -> None:
    rig = Rig(own_service)
    kill_service(own_service)
    assert rig.up().state == ServerState.ACTIVE
    assert rig.boots() == [own_service.images[0]]
    kill_service(own_service)
    assert rig.rebuild().image == own_service.images[1]


def test_what_the_engine_was_sent_goes_when_its_service_starts_again(own_service: PodmanHarness) -> None:
    rig = Rig(own_service)
    uploads = OwnService(own_service.settings.run_dir).uploads
    (uploads / "api_load.tar1").touch()
    kill_service(own_service)
    assert rig.up().state == ServerState.ACTIVE
    assert list(uploads.iterdir()) == []
