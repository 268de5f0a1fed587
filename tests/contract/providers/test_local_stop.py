"""Stopping local servers: not one process is left, whatever state guest and machine are in."""

import os
import signal
from collections.abc import Callable

import pytest
from harnesses import FILES, LocalHarness, Rig, is_alive, until
from processes import in_child, last_generation

from instar.control.providers.local import servers
from instar.control.providers.local.machine import processes
from instar.wire.errors import BadRequest, ProviderError
from instar.wire.states import ServerState


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Don't wait long for those that would not end."""
    monkeypatch.setattr(servers, "STOP_PATIENCE", 0.5)


def hang(rig: Rig, pids: list[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)


def freeze_machine(rig: Rig, pids: list[int]) -> None:
    os.kill(rig.harness.machine(rig.handle), signal.SIGSTOP)


def kill_machine(rig: Rig, pids: list[int]) -> None:
    rig.harness.cut_power(rig.handle)


def kill_all(rig: Rig, pids: list[int]) -> None:
    kill_machine(rig, pids)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("accident", [hang, freeze_machine, kill_machine, kill_all])
def test_a_stop_leaves_no_process_after_any_accident(
    local: LocalHarness, accident: Callable[[Rig, list[int]], None]
) -> None:
    rig = Rig(local, image=local.stubborn)
    pids = last_generation(rig, 1)
    accident(rig, pids)
    rig.stop()
    assert not any(is_alive(pid) for pid in pids)
    assert local.machine(rig.handle) is None
    local.reopen().recover()
    assert (local.machine(rig.handle), rig.up_or_not()) == (None, ServerState.STOPPED)
    local.provider.rebuild_server(rig.handle, local.images[1], dict(FILES), "t")
    assert all(is_alive(pid) for pid in last_generation(rig, 2))


def test_a_stop_lets_the_guest_stop_by_itself(local_rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "STOP_PATIENCE", 20.0)
    last_generation(local_rig, 1)
    local_rig.stop()
    assert local_rig.harness.read(local_rig.volume.handle, "stops") == "old\n"


def test_a_stop_can_be_killed_anywhere_and_repeated(local: LocalHarness) -> None:
    rig = Rig(local)
    booted = 1
    for number in range(1, 12):
        old = last_generation(rig, booted)
        token = f"s{number}"
        in_child(lambda token=token: local.reopen().stop_server(rig.handle, token), die_at=number)  # type: ignore[misc]
        begun = local.provider.inspect_server(rig.handle)
        assert begun.state != ServerState.STOPPED or not any(is_alive(pid) for pid in old)
        if begun.state == ServerState.BUILDING:
            local.provider.recover()
            assert "stopped" in begun.reason
        rig.stop(token)
        assert not any(is_alive(pid) for pid in old)
        local.provider.reboot_server(rig.handle, f"r{number}")
        booted += 1
    last_generation(rig, booted)


def test_a_stop_in_the_middle_of_a_boot_wins(local: LocalHarness) -> None:
    rig = Rig(local)
    for number in range(6):
        local.provider.rebuild_server(rig.handle, local.images[number % 2], dict(FILES), f"t{number}")
        rig.stop(f"s{number}")
        assert local.machine(rig.handle) is None
        assert not any(is_alive(pid) for pid in rig.pids())
    local.provider.reboot_server(rig.handle, "r")
    until(lambda: rig.boots()[-1] == local.images[1], "the last rebuild is not lost")
    assert rig.up().token == "t5"


def test_a_rebuild_that_fails_leaves_a_stopped_server_stopped(local: LocalHarness) -> None:
    rig = Rig(local)
    rig.stop()
    local.damage(local.images[1])
    with pytest.raises(ProviderError, match="damaged"):
        local.provider.rebuild_server(rig.handle, local.images[1], dict(FILES), "t")
    local.provider.recover()
    assert (local.machine(rig.handle), rig.up_or_not()) == (None, ServerState.STOPPED)


def test_a_stop_that_leaves_a_process_says_so_and_is_not_done(
    local: LocalHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(local)
    last_generation(rig, 1)
    monkeypatch.setattr(processes, "end", lambda *_: {4711})
    with pytest.raises(ProviderError, match="would not end") as refused:
        local.provider.stop_server(rig.handle, "s")
    assert refused.value.body.retryable
    assert rig.up_or_not() == ServerState.BUILDING
    monkeypatch.undo()
    rig.stop("s")


def test_a_stop_needs_a_name(local_rig: Rig) -> None:
    with pytest.raises(BadRequest, match="token"):
        local_rig.harness.provider.stop_server(local_rig.handle, "")
