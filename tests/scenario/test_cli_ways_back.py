"""Ways back on the command line, on the whole control plane with a fake provider behind it."""

from typing import Any

import pytest

from command_line import Ran, instar
from control_plane_stub import Socket, socket
from instar.control import wiring
from instar.wire.errors import Finding, GuestError
from waiting import until

__all__ = ["socket"]


@pytest.fixture
def house(world: Any, socket: Socket, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have the command line talk to a control plane of its own, which has an instance called demo."""
    socket.app = world.door
    conf = world.house.conf
    monkeypatch.setenv("INSTAR_ENDPOINT", socket.endpoint)
    monkeypatch.setenv("INSTAR_PROJECT", conf.api.project)
    monkeypatch.setenv("INSTAR_TOKEN", next(iter(wiring.local_tokens(conf))))
    world.create()
    return world


def break_upgrade(house: Any, *options: str) -> tuple[Ran, str]:
    """Run an upgrade that fails in its downtime; gives how it ended, and its operation's id."""
    finding = Finding(check="probe", seen="orders: 3 instead of 4")
    house.guests.failing["post_upgrade"] = GuestError("It broke", findings=[finding])
    ran = instar("upgrade", "demo", "18.6", "--wait", *options)
    return ran, instar("operation", "list", "demo", "-f", "json").json[0]["ID"]


def test_a_rollback_that_leads_back_has_done_its_work(house: Any) -> None:
    failed, operation_id = break_upgrade(house)
    assert failed.status == 1
    assert f"instar operation rollback {operation_id} --wait" in failed.err
    back = instar("operation", "rollback", operation_id, "--wait", "-f", "json")
    assert back.status == 0, back.err
    assert "upgrade of demo failed and was taken back" in back.err
    assert (back.json["turned_back_at"], back.json["came_back"]) == ("post_upgrade", True)
    assert instar("show", "demo", "-f", "json").json["status"] == "ACTIVE"


def test_a_rollback_that_fails_is_an_error(house: Any) -> None:
    _, operation_id = break_upgrade(house)
    house.guests.failing["come_back"] = GuestError("No bed to lie in")
    back = instar("operation", "rollback", operation_id, "--wait")
    assert back.status == 1
    assert f"instar operation resume {operation_id} --wait" in back.err


def test_an_upgrade_that_came_back_did_not_succeed(house: Any) -> None:
    ran, operation_id = break_upgrade(house, "--on-failure", "rollback")
    assert ran.status == 1
    assert "The instance is back where it was.\n" in ran.err
    shown = instar("operation", "show", operation_id)
    assert "block: probe: orders: 3 instead of 4" in shown.out
    assert "Severity" not in shown.out


def test_an_abort_that_leads_back_has_done_its_work(house: Any) -> None:
    boot, house.provider.on_boot = house.provider.on_boot, lambda name, image, files: None
    operation_id = instar("upgrade", "demo", "18.6", "-f", "json").json["id"]
    until(lambda: house.client.operations.get(operation_id).step == "await_agent")
    assert instar("operation", "abort", operation_id, "-f", "json").status == 0
    house.provider.on_boot = boot
    until(lambda: house.client.operations.get(operation_id).state == "FAILED")
    late = instar("operation", "abort", operation_id, "--wait")
    assert late.status == 1
    assert "can't be aborted: it is FAILED" in late.err
    again = instar("upgrade", "demo", "18.6", "--wait", "-f", "json")
    assert again.status == 0, again.err


def test_what_an_undo_would_do_is_shown(house: Any) -> None:
    assert instar("upgrade", "demo", "18.6", "--wait").status == 0
    undo = instar("show", "demo", "-f", "json").json["undo"]
    assert (undo["version"], undo["possible"]) == ("17.10", True)
    refused = instar("rollback", "demo", "--wait")
    assert refused.status == 1
    assert f"--discard-writes-since {undo['loses_writes_since']}" in refused.err
    accepted = instar("rollback", "demo", "--discard-writes-since", undo["loses_writes_since"], "--wait")
    assert accepted.status == 0, accepted.err


def test_a_window_is_a_number_of_seconds_or_the_default(
    house: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert instar("set", "demo", "--undo-window", "3600").status == 0
    assert instar("show", "demo", "-f", "json").json["undo_window"] == 3600
    assert instar("set", "demo", "--undo-window", "never").status == 2
    assert "'never' is neither a number of seconds nor `default`" in capsys.readouterr().err
