"""Configuration groups and parameters on the command line."""

from typing import Any

import pytest

from command_line import instar
from control_plane_stub import Socket, socket
from instar.control import wiring

__all__ = ["socket"]

CREATE = ("configuration", "create", "web", "work_mem=64MB", "max_connections=50", "--version", "17.10")


@pytest.fixture
def house(world: Any, socket: Socket, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have the command line talk to a control plane of its own, with an instance called demo on 17.10."""
    socket.app = world.door
    conf = world.house.conf
    monkeypatch.setenv("INSTAR_ENDPOINT", socket.endpoint)
    monkeypatch.setenv("INSTAR_PROJECT", conf.api.project)
    monkeypatch.setenv("INSTAR_TOKEN", next(iter(wiring.local_tokens(conf))))
    world.create()
    return world


def ok(*words: str) -> Any:
    """Run a command that must succeed and read its JSON."""
    ran = instar(*words, "-f", "json")
    assert ran.status == 0, ran.err
    return ran.json


def test_a_group_from_its_making_to_its_end(house: Any) -> None:
    made = ok(*CREATE, "--description", "for the shop")
    assert made["values"] == {"work_mem": "64MB", "max_connections": "50"}
    attached = ok("configuration", "attach", "demo", "web", "--wait")
    assert (attached["kind"], attached["state"]) == ("configure", "SUCCEEDED")
    shown = ok("show", "demo")
    assert (shown["configuration"], shown["status"]) == ("web", "RESTART_REQUIRED")
    (row,) = ok("configuration", "instances", "web")
    assert (row["Name"], row["In Force"], row["Restart Required"]) == ("demo", True, True)
    changed = ok("configuration", "set", "web", "jit=off", "--unset", "max_connections", "--name", "shop")
    assert (changed["name"], changed["values"]) == ("shop", {"work_mem": "64MB", "jit": "off"})
    assert ok("configuration", "replace", "shop", "jit=on")["values"] == {"jit": "on"}
    house.settle()
    assert ok("configuration", "show", "shop")["instance_count"] == 1
    refused = instar("configuration", "delete", "shop")
    assert refused.status == 1
    assert "attached to demo" in refused.err
    ok("configuration", "detach", "demo", "--wait")
    assert "no configuration group" in instar("configuration", "detach", "demo").err
    assert instar("configuration", "delete", "shop").status == 0
    assert ok("configuration", "list") == []


def test_bad_values_are_all_named_with_what_they_take(house: Any) -> None:
    refused = instar("configuration", "create", "bad", "work_mem=64mb", "jit=perhaps", "--version", "17.10")
    assert refused.status == 1
    assert "configuration.work_mem" in refused.err
    assert "It takes on or off." in refused.err
    assert instar("configuration", "create", "bad", "work_mem").err.count("PARAMETER=VALUE") == 1


def test_an_instance_is_created_with_a_group(house: Any) -> None:
    ok(*CREATE)
    made = ok("create", "tuned", "--flavor", "1", "--volume-size", "1", "--version", "17.10",
              "--configuration", "web", "--wait")  # fmt: skip
    assert (made["configuration"], made["status"]) == ("web", "ACTIVE")
    assert house.guests.databases[made["id"]].settings["work_mem"] == "64MB"


def test_parameters_and_defaults(house: Any) -> None:
    names = [row["Name"] for row in ok("parameter", "list", "17.10")]
    assert "work_mem" in names
    assert "port" not in names
    shown = ok("parameter", "show", "17.10", "work_mem")
    assert (shown["unit"], shown["minimum"], shown["restart_required"]) == ("kB", 64, False)
    assert {"Parameter": "max_connections", "Default": "100"} in ok("configuration", "default", "demo")
