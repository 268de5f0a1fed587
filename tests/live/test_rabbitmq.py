"""Notifications over a real RabbitMQ, heard by oslo.messaging's own listener."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from oslo_config import cfg
from sqlalchemy import select

from instar.control import settings, wiring
from instar.control.events.deliver import oslo_messaging  # its way: with threads, not with eventlet
from instar.control.store.tables import Event
from instar.wire.errors import GuestError, ProviderError, Unprocessable
from instar.wire.events import STEP
from rabbitmq import Broker, broker
from waiting import until
from world import World, world

__all__ = ["broker", "world"]
pytestmark = pytest.mark.live


@pytest.fixture
def conf(tmp_path: Path, broker: Broker) -> cfg.ConfigOpts:
    """A configuration that sends notifications to the broker, under a topic of the test's own."""
    file = tmp_path / "instar.conf"
    file.write_text(
        "[oslo_messaging_notifications]\n"
        f"driver = messagingv2\ntransport_url = {broker.url}\ntopics = {tmp_path.name}\n"
    )
    overrides = {"state_dir": str(tmp_path / "state"), "provider": "fake", "worker.poll": 0.02}
    return settings.load([str(file)], overrides)


@pytest.fixture
def running(broker: Broker) -> Broker:
    """The broker, running."""
    if not broker.running:
        broker.start()
    return broker


@pytest.fixture
def delivery(world: World) -> Iterator[None]:
    """What carries events to the broker, as it runs beside every worker."""
    made = wiring.make_delivery(world.house)
    made.start()
    yield
    made.stop()


class Telemetry:
    """Listens as ceilometer or aodh do, and remembers."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        transport = oslo_messaging.get_notification_transport(conf)
        topics = conf.oslo_messaging_notifications.topics
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.publishers: set[str] = set()
        self._listener = oslo_messaging.get_notification_listener(
            transport, [oslo_messaging.Target(topic=topic) for topic in topics], [self], executor="threading"
        )

    def info(self, _context: Any, publisher: str, kind: str, payload: dict[str, Any], _metadata: Any) -> None:
        self.publishers.add(publisher)
        self.heard.append((kind, payload))

    def __enter__(self) -> "Telemetry":
        self._listener.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.stop()
        self._listener.wait()


def recorded(world: World) -> list[tuple[str, dict[str, Any]]]:
    """What the record says happened, in its order."""
    with world.house.store.read() as session:
        rows = session.execute(select(Event).where(Event.kind != STEP).order_by(Event.id)).scalars()
        return [(row.kind, row.payload) for row in rows]


def go_well(world: World) -> None:
    """Carry out every operation, each with success."""
    client, instance = world.client, world.create("well")
    group = client.configurations.create("web", {"work_mem": "64MB"}, version="17.10")
    for act in (
        lambda: client.configurations.attach(instance, group),
        lambda: client.instances.restart(instance),
        lambda: client.instances.upgrade(instance, "17.11"),
        lambda: client.instances.rollback(instance),
        lambda: client.instances.delete(instance),
    ):
        act()
        world.settle()


def go_wrong(world: World) -> None:
    """Carry out every operation, each in vain."""
    client, dials, failing = world.client, world.provider.dials, world.guests.failing
    dials.fail_once("ensure_volume", ProviderError("No space is left"))
    world.create("stillborn")
    instance = world.create("ill")
    group = client.configurations.create("mail", {"work_mem": "32MB"}, version="17.10")
    failing["apply_configuration"] = GuestError("No such parameter")
    with pytest.raises(Unprocessable):
        client.configurations.attach(instance, group)
    client.instances.upgrade(instance, "17.11")
    world.settle()
    failing["come_back"] = GuestError("No bed to lie in")
    client.instances.rollback(instance)
    world.settle()
    failing["post_upgrade"] = failing["restart"] = GuestError("It does not come up")
    client.instances.upgrade(world.create("other"), "17.11")
    client.instances.restart(world.create("third"))
    world.settle()
    failing.clear()
    dials.fail_once("destroy_server", ProviderError("Nobody knows it"))
    client.instances.delete("third")
    world.settle()


def test_every_operations_start_end_and_error_are_heard(
    world: World, running: Broker, delivery: None
) -> None:
    with Telemetry(world.house.conf) as telemetry:
        go_well(world)
        go_wrong(world)
        until(lambda: len(telemetry.heard) >= len(recorded(world)))
    assert telemetry.heard == recorded(world)
    kinds = {kind for kind, _ in telemetry.heard}
    for operation in ("create", "configure", "restart", "upgrade", "rollback", "delete"):
        assert kinds >= {f"trove.{operation}.{word}" for word in ("start", "end", "error")}
    assert all(publisher.startswith("instar.") for publisher in telemetry.publishers)


def test_a_notification_names_the_request_that_set_it_off(
    world: World, running: Broker, delivery: None
) -> None:
    with Telemetry(world.house.conf) as telemetry:
        world.create()
        until(lambda: len(telemetry.heard) == 2)
    operation = next(iter(world.client.instances.operations("demo")))
    for _, payload in telemetry.heard:
        assert (payload["operation_id"], payload["instance_name"]) == (operation.id, "demo")
        assert payload["request_id"].startswith("req-")


def test_a_broker_that_is_away_holds_nobody_up_and_misses_nothing(
    world: World, running: Broker, delivery: None
) -> None:
    with Telemetry(world.house.conf) as telemetry:
        instance = world.create()
        until(lambda: len(telemetry.heard) == 2)
    running.kill()
    world.client.operations.wait(world.client.instances.restart(instance))
    world.client.operations.wait(world.client.instances.upgrade(instance, "17.11"))
    running.start()
    with Telemetry(world.house.conf) as telemetry:
        until(lambda: len(telemetry.heard) >= len(recorded(world)) - 2, 120)
    assert telemetry.heard == recorded(world)[2:]


def test_a_worker_stops_at_once_while_the_broker_is_away_and_the_next_one_delivers(
    world: World, running: Broker
) -> None:
    running.kill()
    away = wiring.make_delivery(world.house)
    away.start()
    world.create()
    away.stop()
    running.start()
    with Telemetry(world.house.conf) as telemetry:
        assert wiring.make_delivery(world.house).deliver() == 2
        until(lambda: len(telemetry.heard) == 2)
    assert telemetry.heard == recorded(world)
