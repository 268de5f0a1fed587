"""What a user does with the command line, on the whole control plane with a fake provider behind it."""

from typing import Any

import pytest

from command_line import instar
from control_plane_stub import Socket, socket
from instar.control import wiring
from instar.wire.errors import GuestError
from waiting import until

__all__ = ["socket"]

CREATE = ("create", "demo", "--flavor", "1", "--volume-size", "1", "--version", "17.10", "--wait")


@pytest.fixture
def house(world: Any, socket: Socket, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have the command line talk to a control plane of its own."""
    socket.app = world.door
    conf = world.house.conf
    monkeypatch.setenv("INSTAR_ENDPOINT", socket.endpoint)
    monkeypatch.setenv("INSTAR_PROJECT", conf.api.project)
    monkeypatch.setenv("INSTAR_TOKEN", next(iter(wiring.local_tokens(conf))))
    return world


@pytest.fixture
def demo(house: Any) -> str:
    """Give the id of an instance called demo on 17.10."""
    made = instar(*CREATE, "--database", "shop", "--user", "ann", "--generate-password", "-f", "json")
    assert made.status == 0, made.err
    return str(made.json["id"])


def test_create_shows_the_instance_and_its_password_once(house: Any) -> None:
    made = instar(*CREATE, "--user", "ann", "--generate-password", "-f", "json")
    assert made.status == 0, made.err
    assert (made.json["status"], made.json["operating_status"]) == ("ACTIVE", "HEALTHY")
    assert len(made.json["password"]) >= 20
    assert "password" not in instar("show", "demo", "-f", "json").json
    gone = instar("delete", "demo", "--yes", "--wait")
    assert gone.status == 0, gone.err
    assert instar("list", "-f", "value").out == ""


def test_upgrade_waits_with_a_line_for_each_step(house: Any, demo: str) -> None:
    reachable = instar("version", "list", "--reachable-from", "demo", "-f", "value", "-c", "Name")
    assert "18.6" in reachable.out.split()
    done = instar("upgrade", "demo", "18.6", "--wait", "-f", "json")
    assert done.status == 0, done.err
    assert done.json["state"] == "SUCCEEDED"
    lines = done.err.splitlines()
    assert [line.split()[1:2] for line in lines[:-1]] == [["done"]] * (len(lines) - 1)
    steps = [step["name"] for step in done.json["steps"] if step["state"] == "DONE"]
    assert [line.split()[0] for line in lines[:-1]] == steps
    assert lines[-1].startswith("upgrade of demo succeeded after")
    shown = instar("show", demo, "-f", "json").json
    assert shown["datastore_version"] == shown["engine_version"] == "18.6"


def test_without_wait_the_operation_is_named(house: Any, demo: str) -> None:
    accepted = instar("restart", "demo", "-f", "json")
    assert accepted.status == 0
    operation = accepted.json["id"]
    assert f"instar operation show {operation}" in accepted.err
    assert operation in instar("operation", "list", "demo", "-f", "value", "-c", "ID").out
    until(lambda: instar("operation", "show", operation, "-f", "json").json["state"] == "SUCCEEDED")


def test_a_failed_upgrade_says_what_to_do_and_is_resumed(house: Any, demo: str) -> None:
    house.guests.failing["post_upgrade"] = GuestError("pg_upgrade failed", remedy="Free some space")
    failed = instar("upgrade", "demo", "18.6", "--wait")
    assert failed.status == 1
    assert "Traceback" not in failed.err
    assert "Error: The upgrade of demo failed at step post_upgrade: pg_upgrade failed" in failed.err
    assert "Remedy: Free some space" in failed.err
    resume = next(line for line in failed.err.splitlines() if line.startswith("Then:")).split()[2:]
    house.guests.failing.clear()
    resumed = instar(*resume)
    assert resumed.status == 0, resumed.err
    assert instar("show", "demo", "-f", "value", "-c", "datastore_version").out.strip() == "18.6"


def test_a_refused_upgrade_says_why_and_touches_nothing(house: Any, demo: str) -> None:
    assert instar("upgrade", "demo", "18.6", "--wait").status == 0
    refused = instar("upgrade", "demo", "17.10", "--wait")
    assert refused.status == 1
    assert "Error: " in refused.err
    assert "Remedy: " in refused.err
    unknown = instar("upgrade", "demo", "99.9")
    assert unknown.status == 1
    assert "99.9" in unknown.err


def test_databases_and_users(house: Any, demo: str) -> None:
    assert instar("database", "create", "demo", "orders").status == 0
    assert instar("database", "list", "demo", "-f", "value").out.split() == ["orders", "shop"]
    made = instar("user", "create", "demo", "bob", "--password-file", "-", stdin="a-secret-word\n")
    assert made.status == 0, made.err
    assert "a-secret-word" not in made.out + made.err
    names = instar("user", "list", "demo", "-f", "json").json
    assert [user["Name"] for user in names] == ["ann", "bob"]
    assert instar("database", "delete", "demo", "orders", "--yes").status == 0
    missing = instar("database", "delete", "demo", "orders", "--yes")
    assert missing.status == 1
    assert "Error: Database orders cannot be found" in missing.err


def test_what_is_on_offer(house: Any) -> None:
    assert instar("flavor", "list", "-f", "value", "-c", "Name").out.split() == ["small", "medium", "large"]
    assert instar("datastore", "show", "postgresql", "-f", "json").json["versions"][-2:] == ["17.11", "18.6"]
    listed = instar("version", "list", "--datastore", "postgresql", "-f", "csv", "-c", "Name")
    assert listed.out.split() == ['"Name"', '"16.9"', '"17.10"', '"17.11"', '"18.6"']


def test_a_version_is_registered_changed_and_deleted(house: Any) -> None:
    known = house.provider.images()[-1].manifest
    image = house.provider.add_image(known.model_copy(update={"digest": "", "engine_version": "18.7"}))
    made = instar("version", "create", "postgresql", "18.7", "--image", image, "--no-active", "-f", "json")
    assert made.status == 0, made.err
    changed = instar(
        "version", "set", made.json["id"], "--active", "--upgrade-from", ">=16,<19", "-f", "json"
    )
    assert changed.status == 0, changed.err
    assert changed.json["active"] is True
    assert instar("version", "delete", "18.7", "--datastore", "postgresql").status == 0
    assert instar("version", "show", "18.7").status == 1
