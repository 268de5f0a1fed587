"""What is told of an operation: notifications after commit, a stream that misses nothing."""

from pathlib import Path
from typing import Any

import pytest

from instar.client.errors import OperationFailed
from instar.control.events import stream
from instar.control.events.deliver import Delivery
from instar.wire.errors import GuestError
from waiting import until
from world import World


def test_start_and_end_tell_versions_images_actor_and_times(world: World) -> None:
    told: list[tuple[str, dict[str, Any]]] = []
    instance_id = world.create()
    world.client.operations.wait(world.client.instances.upgrade(instance_id, "18.6"))
    delivery = Delivery(world.house.store, lambda kind, payload: told.append((kind, payload)))
    assert delivery.deliver() == 4
    assert [kind for kind, _ in told] == [
        "trove.create.start",
        "trove.create.end",
        "trove.upgrade.start",
        "trove.upgrade.end",
    ]
    end = told[-1][1]
    assert (end["actor"], end["instance_id"], end["tenant_id"]) == ("admin", instance_id, "local")
    assert (end["details"]["version_before"], end["details"]["version_after"]) == ("17.10", "18.6")
    assert (
        end["details"]["image_before"] != end["details"]["image_after"] == world.instance(instance_id).image
    )
    assert end["seconds"] > 0
    assert end["downtime_seconds"] is not None
    assert delivery.deliver() == 0


def test_an_error_is_always_told(world: World) -> None:
    told: list[tuple[str, dict[str, Any]]] = []
    instance_id = world.create()
    world.guests.failing["post_upgrade"] = GuestError("pg_upgrade refused", seen="a view")
    with pytest.raises(OperationFailed):
        world.client.operations.wait(world.client.instances.upgrade(instance_id, "18.6"))
    Delivery(world.house.store, lambda kind, payload: told.append((kind, payload))).deliver()
    kind, payload = told[-1]
    assert kind == "trove.upgrade.error"
    assert "pg_upgrade refused" in payload["message"]
    assert payload["error"]["seen"] == "a view"


def test_what_the_notifier_did_not_take_is_sent_again(world: World) -> None:
    world.create()
    taken: list[str] = []

    def broken(kind: str, payload: dict[str, Any]) -> None:
        if kind.endswith("end"):
            raise OSError("the broker is away")
        taken.append(kind)

    with pytest.raises(OSError, match="away"):
        Delivery(world.house.store, broken).deliver()
    Delivery(world.house.store, lambda kind, payload: taken.append(kind)).deliver()
    assert taken == ["trove.create.start", "trove.create.end"]


def test_of_workers_that_deliver_the_same_events_all_but_one_stand_back(world: World) -> None:
    world.create()
    world.create("other")
    slow: list[str] = []
    fast: list[str] = []
    faster = Delivery(world.house.store, lambda kind, payload: fast.append(payload["instance_name"]))

    def overtaken(kind: str, payload: dict[str, Any]) -> None:
        slow.append(payload["instance_name"])
        faster.deliver()

    slower = Delivery(world.house.store, overtaken)
    assert slower.deliver() == 0
    assert (fast, slow) == (["demo", "demo", "other", "other"], ["demo"])
    assert slower.deliver() == 0


def test_the_stream_tells_each_step_once_and_goes_on_behind_a_number(world: World) -> None:
    instance_id = world.create()
    operation = world.client.instances.upgrade(instance_id, "18.6")
    assert operation
    events = [
        event
        for event in stream.follow(world.house.store, "local", operation.id, 0, lambda: False)
        if event is not None
    ]
    done = [event.payload["step"] for event in events if event.payload.get("outcome") == "done"]
    assert done == [step.name for step in world.client.operations.get(operation).steps or []]
    assert events[-1].kind == "trove.upgrade.end"
    rest = list(stream.follow(world.house.store, "local", operation.id, events[3].id, lambda: False))
    assert rest == events[4:]
    assert list(stream.follow(world.house.store, "another", operation.id, 0, lambda: False)) == events[:0]


def test_no_password_is_told_or_kept(world: World) -> None:
    made = world.client.instances.create(
        "demo",
        flavor="1",
        volume_size=1,
        datastore="postgresql",
        version="17.10",
        databases=["shop"],
        users=[{"name": "ada", "password": "tell-nobody", "databases": [{"name": "shop"}]}],
    )
    world.settle()
    until(lambda: "ada" in world.guests.databases[made.id].users)
    assert world.guests.databases[made.id].users["ada"]["password"] == "tell-nobody"
    for path in world.house.store.url.database, f"{world.house.store.url.database}-wal":
        assert b"tell-nobody" not in Path(str(path)).read_bytes()
