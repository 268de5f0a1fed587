"""Probes: registered by the owner, put before and after an upgrade."""

import pytest

from instar.client.errors import OperationFailed
from instar.wire.errors import BadRequest, Busy, NotFound, OverLimit
from instar.wire.states import InstanceStatus, OperationState
from world import World


def register(world: World, name: str = "orders", **changed: str) -> None:
    wanted = {"database": "shop", "sql": "SELECT count(*) > 0 FROM orders", "expected": "t"} | changed
    world.client.probes.create("demo", name, **wanted)


def test_a_probes_life(world: World) -> None:
    world.create()
    assert world.client.probes.list("demo") == []
    register(world)
    register(world, "people", policy="warn")
    assert [probe.name for probe in world.client.probes.list("demo")] == ["orders", "people"]
    assert world.client.probes.get("demo", "people").policy == "warn"
    world.client.probes.delete("demo", "orders")
    assert [probe.name for probe in world.client.probes.list("demo")] == ["people"]
    for missing in (world.client.probes.get, world.client.probes.delete):
        with pytest.raises(NotFound, match="orders"):
            missing("demo", "orders")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "no spaces"),
        ("sql", "SELECT 1; SELECT 2"),
        ("sql", "x" * 4001),
        ("sql", ""),
        ("expected", "x" * 201),
        ("policy", "ignore"),
    ],
)
def test_a_wrong_probe_is_refused_by_its_field(world: World, field: str, value: str) -> None:
    world.create()
    with pytest.raises(BadRequest, match=rf"probe\.{field}"):
        register(world, **{field: value})
    assert world.client.probes.list("demo") == []


def test_names_are_unique_and_probes_are_few(world: World) -> None:
    world.create()
    register(world)
    with pytest.raises(BadRequest, match="orders"):
        register(world)
    for number in range(19):
        register(world, f"p{number}")
    with pytest.raises(OverLimit, match="20"):
        register(world, "one-too-many")


def test_running_tells_what_the_database_answered(world: World) -> None:
    world.create()
    register(world)
    register(world, "people", policy="warn")
    world.guests.probe_answers["people"] = "f"
    results = {result.name: (result.passed, result.seen) for result in world.client.probes.run("demo")}
    assert results == {"orders": (True, "t"), "people": (False, "f")}


def test_a_failing_probe_forbids_the_upgrade_beforehand(world: World) -> None:
    instance_id = world.create()
    register(world)
    world.guests.probe_answers["orders"] = "f"
    plan = world.client.plans.make("demo", "18.6")
    assert not plan.allowed
    assert [(result.name, result.passed) for result in plan.probes] == [("orders", False)]
    operation = world.client.instances.upgrade("demo", "18.6")
    with pytest.raises(OperationFailed, match="orders"):
        world.client.operations.wait(operation)
    assert (instance_id, "pre_upgrade") not in world.guests.calls


def test_a_probe_that_warns_forbids_nothing(world: World) -> None:
    world.create()
    register(world, policy="warn")
    world.guests.probe_answers["orders"] = "f"
    plan = world.client.plans.make("demo", "18.6")
    assert plan.allowed
    assert [finding.check for finding in plan.findings if "orders" in finding.seen] == ["probe"]
    operation = world.client.instances.upgrade("demo", "18.6", plan=plan.hash)
    assert world.client.operations.wait(operation).state == OperationState.SUCCEEDED


def test_a_probe_that_fails_on_the_new_release_keeps_clients_out(world: World) -> None:
    instance_id = world.create()
    register(world)
    world.guests.probe_answers["orders"] = lambda version: "f" if version.startswith("18") else "t"
    assert world.client.plans.make("demo", "18.6").allowed
    operation = world.client.instances.upgrade("demo", "18.6")
    with pytest.raises(OperationFailed, match="Probe orders failed"):
        world.client.operations.wait(operation)
    assert world.instance(instance_id).status == InstanceStatus.ERROR
    assert not world.guests.servers[instance_id].running
    world.client.probes.delete("demo", "orders")  # the probe was wrong, not the database
    world.client.operations.resume(operation)  # type: ignore[arg-type]
    assert world.client.operations.wait(operation).state == OperationState.SUCCEEDED  # type: ignore[arg-type]


def test_probes_do_not_change_under_an_operation(world: World) -> None:
    world.create()
    register(world)
    world.worker.stop()
    operation = world.client.instances.upgrade("demo", "18.6")
    assert operation
    with pytest.raises(Busy, match=operation.id):
        register(world, "people")
    with pytest.raises(Busy, match=operation.id):
        world.client.probes.delete("demo", "orders")
