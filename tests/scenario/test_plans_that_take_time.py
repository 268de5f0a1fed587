"""A plan that is not made within the door's answer time."""

from pathlib import Path

import pytest
from oslo_config import cfg

from door import make_door
from instar.control import settings
from instar.wire.errors import GuestError
from world import World


@pytest.fixture
def conf(tmp_path: Path) -> cfg.ConfigOpts:
    """A control plane whose door waits for next to nothing."""
    overrides = {
        "state_dir": str(tmp_path / "state"),
        "provider": "fake",
        "worker.poll": 0.02,
        "api.answer_timeout": 0.1,
    }
    return settings.load([], overrides)


def test_the_client_waits_for_it(world: World) -> None:
    world.create()
    world.guests.failing["read_back"] = GuestError("The agent restarts", retryable=True)

    def back() -> None:
        if len([1 for _, hook in world.guests.calls if hook == "read_back"]) > 2:
            world.guests.failing.pop("read_back", None)

    world.guests.before["read_back"] = back
    plan = world.client.plans.make("demo", "18.6")
    assert plan.allowed
    assert world.client.plans.get("demo", plan.id) == plan


def test_the_door_says_where_it_will_be(tmp_path: Path) -> None:
    door = make_door(tmp_path, answer_timeout=0.01)
    acme, instance_id = door.as_("acme-token"), door.serving_instance()
    body = {"plan": {"datastore_version": "18.6"}}
    answer = acme.simulate_post(f"/v1.0/acme/instances/{instance_id}/plans", json=body)
    door.store.close()
    assert answer.status_code == 202
    operation = answer.json["operation_id"]
    assert answer.headers["x-instar-operation"] == operation
    assert answer.headers["location"].endswith(f"/v1.0/acme/instances/{instance_id}/plans/{operation}")
