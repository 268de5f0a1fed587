"""Plans and probes on the command line, on the whole control plane with a fake provider behind it."""

from typing import Any

import pytest

from command_line import instar
from control_plane_stub import Socket, socket
from instar.control import wiring
from instar.wire.errors import Finding

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


def test_a_plan_reads_as_a_report_and_ends_with_the_command_that_carries_it_out(house: Any) -> None:
    planned = instar("plan", "demo", "18.6")
    assert planned.status == 0, planned.err
    lines = planned.out.splitlines()
    assert lines[:2] == ["Upgrade of demo from 17.10 to 18.6", "Allowed. Nothing was changed."]
    for title in ("Findings", "Configuration", "Snapshot", "Ways back", "Downtime"):
        assert title in lines
    assert "no history" in planned.out
    command = lines[-1].removeprefix("Run it: instar ").split()
    done = instar(*command, "-f", "json")
    assert done.status == 0, done.err
    assert done.json["state"] == "SUCCEEDED"


def test_a_blocked_plan_has_its_own_exit_status_and_no_command(house: Any) -> None:
    finding = Finding(check="prepared_transactions", seen="x in shop", remedy="Commit it.")
    house.guests.obstacles.append(finding)
    planned = instar("plan", "demo", "18.6")
    assert planned.status == 3, planned.err
    assert "NOT ALLOWED: 1 finding in the way" in planned.out
    assert "  block prepared_transactions: x in shop\n        Commit it.\n" in planned.out
    assert "Run it" not in planned.out
    refused = instar("upgrade", "demo", "18.6", "--wait")
    assert refused.status == 1
    assert "Commit it." in refused.err


def test_a_plan_as_data_has_all_of_it(house: Any) -> None:
    options = ("--method", "copy", "--snapshot", "never", "--on-failure", "rollback")
    planned = instar("plan", "demo", "18.6", *options, "-f", "json")
    assert planned.status == 0, planned.err
    assert planned.json == house.client.plans.get("demo", planned.json["hash"]).model_dump(mode="json")
    assert planned.json["point_of_no_return"] == "let_in"
    assert "let_in        none" in instar("plan", "show", "demo", planned.json["hash"]).out
    listed = instar("plan", "list", "demo", "-f", "json").json
    assert [(line["Hash"], line["Allowed"]) for line in listed] == [(planned.json["hash"], True)]


def test_an_upgrade_says_what_changed_since_its_plan(house: Any) -> None:
    plan = instar("plan", "demo", "18.6", "-f", "json").json["hash"]
    instance_id = instar("show", "demo", "-f", "json").json["id"]
    house.guests.databases[instance_id].settings["work_mem"] = "8MB"
    refused = instar("upgrade", "demo", "18.6", "--plan", plan, "--wait")
    assert refused.status == 1
    assert "configuration.work_mem was absent and is 8MB" in refused.err
    assert "Make a new plan" in refused.err


def test_probes(house: Any) -> None:
    probe = ("probe", "create", "demo", "orders", "SELECT 1", "--database", "shop", "--expected", "1")
    assert instar(*probe).status == 0
    assert instar(*probe).status == 1
    assert [line["Name"] for line in instar("probe", "list", "demo", "-f", "json").json] == ["orders"]
    assert instar("probe", "run", "demo").status == 0
    house.guests.probe_answers["orders"] = "2"
    ran = instar("probe", "run", "demo", "-f", "json")
    assert (ran.status, ran.json[0]["Passed"], ran.json[0]["Seen"]) == (3, False, "2")
    assert "orders: FAILED, the answer was '2'" in instar("plan", "demo", "18.6").out
    assert instar("probe", "delete", "demo", "orders").status == 0
    assert instar("plan", "demo", "18.6").status == 0


def test_a_forced_upgrade_shows_what_was_gone_over(house: Any) -> None:
    house.guests.obstacles.append(Finding(check="prepared_transactions", seen="Prepared transactions: one"))
    done = instar("upgrade", "demo", "18.6", "--force", "--wait", "-f", "json")
    assert done.status == 0, done.err
    assert done.json["overridden"] == ["prepared_transactions: Prepared transactions: one"]
