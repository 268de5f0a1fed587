"""`force`: an upgrade goes on where its plan says no; what can never work, and the guest, still refuse."""

import pytest
from sqlalchemy import select

from instar.client.errors import OperationFailed
from instar.control.store.tables import Event
from instar.wire.errors import Finding
from instar.wire.rest import Operation
from instar.wire.states import OperationState
from mariadb_images import add_mariadb
from world import World

OBSTACLE = Finding(check="prepared_transactions", seen="Prepared transactions: one", remedy="Commit it.")


def forced(world: World, name: str = "demo", version: str = "18.6") -> Operation:
    """Force an upgrade, and wait for its end."""
    operation = world.client.instances.upgrade(name, version, force=True)
    assert operation
    return world.client.operations.wait(operation)


def told(world: World, operation_id: str, kind: str) -> dict[str, object]:
    """Give the details of an operation's event."""
    query = select(Event.payload).where(Event.operation_id == operation_id, Event.kind == kind)
    with world.house.store.read() as session:
        details: dict[str, object] = session.execute(query).scalar_one()["details"]
    return details


def test_a_forced_upgrade_goes_on_and_tells_what_it_went_over(world: World) -> None:
    world.create()
    world.guests.obstacles.append(OBSTACLE)
    ended = forced(world)
    assert ended.state == OperationState.SUCCEEDED
    assert [finding.check for finding in ended.overridden] == ["prepared_transactions"]
    assert ended.inputs["force"] is True
    assert told(world, ended.id, "trove.upgrade.start")["forced"] is True
    assert told(world, ended.id, "trove.upgrade.end")["overridden"] == [OBSTACLE.seen]
    assert world.client.instances.get("demo").engine_version == "18.6"


def test_where_nothing_blocks_force_goes_over_nothing(world: World) -> None:
    world.create()
    ended = forced(world)
    assert ended.overridden == []
    assert "overridden" not in told(world, ended.id, "trove.upgrade.end")


def test_what_can_never_work_is_refused_all_the_same(world: World) -> None:
    instance_id = world.create()
    world.guests.obstacles.append(OBSTACLE)
    world.guests.servers[instance_id].running = False
    with pytest.raises(OperationFailed, match="refused before any downtime") as caught:
        forced(world)
    error = caught.value.operation.error
    assert error
    assert [finding.check for finding in error.findings] == ["database"]
    assert (instance_id, "pre_upgrade") not in world.guests.calls


def test_a_plan_that_does_not_hold_any_more_is_not_forced(world: World) -> None:
    instance_id = world.create()
    plan = world.client.plans.make("demo", "18.6")
    world.guests.databases[instance_id].settings["work_mem"] = "64MB"
    operation = world.client.instances.upgrade("demo", "18.6", plan=plan.hash, force=True)
    with pytest.raises(OperationFailed, match="has changed since"):
        world.client.operations.wait(operation)


def test_forced_over_a_removed_parameter_the_guest_refuses_and_the_old_database_serves_on(
    world: World,
) -> None:
    add_mariadb(world)
    world.client.instances.create("shop", flavor="1", volume_size=1, datastore="mariadb", version="10.11.14")
    world.settle()
    world.client.configurations.create(
        "web", {"innodb_change_buffering": "all"}, datastore="mariadb", version="10.11.14"
    )
    world.client.configurations.attach("shop", "web")
    with pytest.raises(OperationFailed, match="innodb_change_buffering") as caught:
        forced(world, "shop", "11.8.3")
    operation = caught.value.operation
    assert (operation.turned_back_at, operation.came_back) == ("pre_upgrade", True)
    assert [finding.check for finding in operation.overridden] == ["configuration.innodb_change_buffering"]
    assert told(world, operation.id, "trove.upgrade.error")["overridden"]
    shown = world.client.instances.get("shop")
    assert (shown.status, shown.operating_status, shown.engine_version) == ("ACTIVE", "HEALTHY", "10.11.14")
    assert world.guests.servers[shown.id].running
