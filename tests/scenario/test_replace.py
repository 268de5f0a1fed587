"""Strategy replace through the front door: another server takes over; the old one is kept for the undo."""

from dataclasses import replace

import pytest

from instar.client.errors import OperationFailed
from instar.control import wiring
from instar.wire.errors import BadRequest, NotSupported, ProviderError
from instar.wire.states import InstanceStatus, OperationState
from world import World
from wsgi_transport import client_of


def upgrade(world: World, version: str = "18.6", **options: object) -> str:
    """Upgrade by replacing, and wait until that is at rest; gives the operation's id."""
    started = world.client.instances.upgrade("demo", version, **{"strategy": "replace", **options})
    assert started
    world.settle()
    return started.id


def servers(world: World, instance_id: str) -> dict[str, str]:
    """Tell of each of an instance's servers, by the end of its name, whether it runs and has the volume."""
    return {
        name.partition(instance_id)[2]: ("up" if server.up else "down") + (" volume" if server.volume else "")
        for name, server in world.provider.servers.items()
    }


def test_another_server_takes_over_and_the_old_one_is_kept(world: World) -> None:
    instance_id = world.create()
    before = world.client.instances.get("demo")
    operation = world.client.operations.get(upgrade(world))
    assert operation.state == OperationState.SUCCEEDED
    names = [step.name for step in operation.steps or []]
    assert names[:6] == ["preflight", "make_room", "standby", "pre_upgrade", "snapshot", "hand_over"]
    assert not {"stage", "rebuild"} & {*names}
    after = world.client.instances.get("demo")
    assert (after.status, after.ip, after.volume_id) == ("ACTIVE", before.ip, before.volume_id)
    assert servers(world, instance_id) == {"": "down", "-2": "up volume"}
    assert world.provider.find_port(f"instar-{instance_id}-2") is None


def test_the_undo_is_by_the_old_server_and_leaves_one(world: World) -> None:
    instance_id = world.create()
    upgrade(world, "17.11")
    world.client.instances.rollback("demo")
    world.settle()
    assert (world.client.instances.get("demo").datastore or {})["version"] == "17.10"
    assert servers(world, instance_id) == {"": "up volume"}
    assert world.provider.calls["rebuild_server"] == 0


def test_an_instance_that_was_resized_since_goes_back_by_a_rebuild(world: World) -> None:
    instance_id = world.create()
    upgrade(world, "17.11")
    world.client.instances.resize("demo", "2")
    world.settle()
    world.client.instances.rollback("demo")
    world.settle()
    instance = world.client.instances.get("demo")
    assert (instance.status, (instance.datastore or {})["version"]) == ("ACTIVE", "17.10")
    assert servers(world, instance_id) == {"-2": "up volume"}
    assert world.provider.servers[f"instar-{instance_id}-2"].flavor == "2"


def test_an_old_server_that_is_gone_is_done_without(world: World) -> None:
    instance_id = world.create()
    upgrade(world, "17.11")
    world.provider.lose_server(f"instar-{instance_id}")
    world.client.instances.rollback("demo")
    world.settle()
    assert (world.client.instances.get("demo").datastore or {})["version"] == "17.10"
    assert servers(world, instance_id) == {"-2": "up volume"}


@pytest.mark.parametrize("dead", ["no server", "no agent", "another agent"])
def test_a_new_server_that_does_not_come_up_leaves_the_instance_alone(world: World, dead: str) -> None:
    instance_id = world.create()
    image = world.client.versions.get("18.6", datastore="postgresql").image or ""
    match dead:
        case "no server":
            world.provider.dials.fail_always("ensure_server", ProviderError("No host has room for it"))
        case "another agent":
            world.provider.swap_agent(image, "0.1")
        case _:
            world.provider.dead.add(image)
    started = world.client.instances.upgrade("demo", "18.6", strategy="replace")
    assert started
    if dead == "no agent":
        world.client.operations.abort(started)
    world.settle()
    with pytest.raises(OperationFailed):
        world.client.operations.wait(started)
    operation = world.client.operations.get(started)
    assert (operation.state, operation.downtime_seconds) == (OperationState.FAILED, None)
    assert (world.client.instances.get("demo").status, world.instance(instance_id).fault) == ("ACTIVE", None)
    assert world.guests.servers[instance_id].running
    assert servers(world, instance_id) == {"": "up volume"}
    assert world.provider.find_port(f"instar-{instance_id}-2") is None


def test_an_agent_that_can_not_wait_is_refused_before_any_downtime(world: World) -> None:
    instance_id = world.create()
    boot = world.provider.on_boot

    def boot_of_old(name: str, image: str, files: dict[str, str]) -> None:
        boot(name, image, files)
        world.guests.give_volume(name.removeprefix("instar-"), there=True)

    world.provider.on_boot = boot_of_old
    operation = world.client.operations.get(upgrade(world))
    assert operation.error
    assert "can't wait" in operation.error.sentence()
    assert (operation.state, operation.downtime_seconds) == (OperationState.FAILED, None)
    assert servers(world, instance_id) == {"": "up volume"}


def test_a_failure_after_the_hand_over_is_rolled_back_to_the_old_server(world: World) -> None:
    instance_id = world.create()
    world.guests.failing["post_upgrade"] = ProviderError("The database refuses")
    operation_id = upgrade(world)
    assert world.instance(instance_id).status == InstanceStatus.ERROR
    assert servers(world, instance_id) == {"": "down", "-2": "up volume"}
    world.client.operations.rollback(operation_id)
    world.settle()
    instance = world.client.instances.get("demo")
    assert (instance.status, (instance.datastore or {})["version"]) == ("ACTIVE", "17.10")
    assert servers(world, instance_id) == {"": "up volume"}


# the choice


def test_a_plan_tells_what_each_strategy_costs_and_holds_its_own(world: World) -> None:
    world.create()
    upgrade(world, "17.10")
    plan = world.client.plans.make("demo", "17.11", strategy="replace")
    told = {each.name: each for each in plan.strategies}
    assert (plan.strategy, told["replace"].chosen, told["rebuild"].chosen) == ("replace", True, False)
    assert (told["replace"].forecast.upgrades, told["rebuild"].forecast.upgrades) == (1, 0)
    assert plan.forecast == told["replace"].forecast
    assert "one more server of flavor 1 until" in told["replace"].resources
    assert [step.name for step in plan.steps][:3] == ["preflight", "make_room", "standby"]
    assert plan.hash != world.client.plans.make("demo", "17.11").hash
    with pytest.raises(BadRequest, match="upgrade_strategy: is not the plan's"):
        world.client.instances.upgrade("demo", "17.11", plan=plan.hash, strategy="rebuild")
    started = world.client.instances.upgrade("demo", "17.11", plan=plan.hash)
    world.settle()
    assert started
    assert "hand_over" in [step.name for step in world.client.operations.get(started).steps or []]


def test_auto_is_replace_where_the_provider_can_and_rebuild_is_the_default(world: World) -> None:
    world.create()
    assert world.client.plans.make("demo", "18.6").strategy == "rebuild"
    assert world.client.plans.make("demo", "18.6", strategy="auto").strategy == "replace"


def test_a_provider_that_can_not_refuses_at_the_door(world: World) -> None:
    world.create()
    world.provider.abilities = replace(world.provider.abilities, replace=False)
    conf = world.house.conf
    client = client_of(
        wiring.make_door(world.house, world.worker.wake),
        conf.api.project,
        next(iter(wiring.local_tokens(conf))),
    )
    for attempt in (client.instances.upgrade, client.plans.make):
        with pytest.raises(NotSupported, match="can't replace a server"):
            attempt("demo", "18.6", strategy="replace")
    plan = client.plans.make("demo", "18.6", strategy="auto")
    assert (plan.strategy, plan.allowed) == ("rebuild", True)
    assert {each.name: each.possible for each in plan.strategies} == {"rebuild": True, "replace": False}
