"""Sizes, reboots and last resorts on the command line, on the whole control plane with a fake provider."""

from typing import Any

import pytest

from command_line import instar
from control_plane_stub import Socket, socket
from instar.control import wiring
from instar.wire.errors import ProviderError
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


@pytest.mark.parametrize(
    "words",
    [
        ("reboot", "demo"),
        ("resize", "demo", "--flavor", "medium"),
        ("resize", "demo", "--volume-size", "2"),
        ("stop", "demo"),
        ("rebuild", "demo"),
        ("delete", "demo", "--force", "--yes"),
    ],
    ids=" ".join,
)
def test_a_change_waits_with_a_line_for_each_step(house: Any, words: tuple[str, ...]) -> None:
    done = instar(*words, "--wait", "-f", "json")
    assert done.status == 0, done.err
    assert done.json["state"] == "SUCCEEDED"
    steps = [step["name"] for step in done.json["steps"] if step["state"] == "DONE"]
    assert [line.split()[0] for line in done.err.splitlines()[:-1]] == steps


def test_sizes_are_shown(house: Any) -> None:
    assert instar("resize", "demo", "--flavor", "2", "--wait").status == 0
    shown = instar("show", "demo", "-f", "json").json
    assert (shown["flavor"], shown["volume_size"]) == ("2", 1)
    refused = instar("resize", "demo", "--volume-size", "1")
    assert refused.status == 1
    assert "must be larger" in refused.err


def test_a_reset_says_where_to_look(house: Any) -> None:
    house.provider.dials.fail_always("rebuild_server", ProviderError("Come back later", retryable=True))
    begun = instar("upgrade", "demo", "18.6", "-f", "json")
    until(lambda: instar("operation", "show", begun.json["id"], "-f", "json").json.get("reason"))
    house.worker.stop()
    reset = instar("reset", "status", "demo")
    assert reset.status == 0, reset.err
    assert "instar show demo" in reset.err
    assert "reset by admin" in instar("show", "demo", "-f", "json").json["fault"]["message"]


def test_who_may_reach_it_is_set_and_taken_back(house: Any) -> None:
    assert instar("set", "demo", "--allow", "10.0.0.0/8", "--allow", "192.0.2.7/32", "--wait").status == 0
    row = house.instance(house.client.instances.get("demo").id)
    assert row.access == {"allowed_cidrs": ["10.0.0.0/8", "192.0.2.7/32"]}
    assert instar("set", "demo", "--allow-everybody", "--no-public", "--wait").status == 0
    assert house.instance(row.id).access == {"allowed_cidrs": [], "is_public": False}
    wrong = instar("set", "demo", "--allow", "10.0.0.1/8")
    assert wrong.status == 1
    assert "allowed_cidrs.0" in wrong.err
    assert instar("set", "demo").status == 1


def test_quotas_are_shown_and_set(house: Any) -> None:
    project = house.house.conf.api.project
    assert instar("quota", "set", project, "--instances", "1").status == 0
    rows = {row["Resource"]: row for row in instar("quota", "show", project, "-f", "json").json}
    assert rows["instances"] == {"Resource": "instances", "In use": 1, "Reserved": 0, "Limit": 1}
    beyond = instar("create", "other", "--flavor", "1", "--volume-size", "1", "--version", "17.10")
    assert beyond.status == 1
    assert "Quota exceeded for resources: ['instances']" in beyond.err
    assert instar("quota", "set", project).status == 1
