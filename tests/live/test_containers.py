"""Whole operating systems change under a database, in containers, while a client writes."""

from typing import Any

import pytest

from access import tell
from container_fixtures import POSTGRESQL, SystemImages, offer
from instar.client.errors import OperationFailed
from instar.wire.rest import Operation
from real_control_plane import TIMEOUT, ControlPlane
from real_instance import DATABASE, RealInstance
from waiting import until

pytestmark = pytest.mark.live

READER = {"user": "bob", "password": "secret-bob"}
GROUP = {"mariadb": {"max_connections": 77, "long_query_time": 3.5}, "postgresql": {"work_mem": 7168}}
TOLD = {
    "mariadb": "SELECT @@global.max_connections, @@global.long_query_time",
    "postgresql": "SELECT current_setting('work_mem')",
}
RIGHTS = {
    "mariadb": "SHOW GRANTS",
    "postgresql": "SELECT has_table_privilege('orders', 'SELECT'), has_table_privilege('orders', 'TRUNCATE')",
}
REMOVED = "innodb_change_buffer_max_size"
"""A variable of MariaDB 10.11 that 11.8 does not know."""


def furnish(instance: RealInstance) -> None:
    """Give an instance data, a second user with a grant, and values of a configuration group."""
    client = instance.plane.client
    client.users.create(instance.id, READER["user"], READER["password"], databases=[DATABASE])
    tell(
        instance.access(),
        "CREATE TABLE orders (n int PRIMARY KEY, item varchar(40) NOT NULL)",
        "CREATE INDEX items ON orders (item)",
        *(f"INSERT INTO orders VALUES ({n}, 'item {n * 7919 % 1000}')" for n in range(1, 201)),
    )
    if instance.engine.datastore == "postgresql":
        tell(instance.access(), "GRANT SELECT ON orders TO bob")
    attach(instance, GROUP[instance.engine.datastore])


def attach(instance: RealInstance, values: dict[str, Any]) -> None:
    """Put values in force by a configuration group."""
    client, name = instance.plane.client.configurations, f"values of {instance.id}"
    datastore = instance.engine.datastore
    group = client.create(name, values, datastore=datastore, version=instance.version)
    instance.plane.wait(client.attach(instance.id, group.id))
    if instance.shown.status == "RESTART_REQUIRED":
        instance.plane.wait(instance.plane.client.instances.restart(instance.id))


def look(instance: RealInstance) -> dict[str, Any]:
    """See what an upgrade must keep: asked of the control plane, of the database, and by logging in."""
    shown, client, kind = instance.shown, instance.plane.client, instance.engine.datastore
    return {
        "address": (shown.ip, shown.port, shown.hostname),
        "hostname in the guest": instance.in_guest("cat", "/proc/sys/kernel/hostname"),
        "volume": shown.volume_id,
        "databases": [each.name for each in client.databases.list(instance.id)],
        "users": {
            (each.name, each.host): [database.name for database in each.databases]
            for each in client.users.list(instance.id)
        },
        "configuration": instance.ask(TOLD[kind]),
        "orders": instance.ask("SELECT count(*), min(item), max(item) FROM orders"),
        "readable": instance.ask("SELECT count(*) FROM orders", **READER),
        "rights": instance.ask(RIGHTS[kind], **READER),
    }


def system(instance: RealInstance) -> str:
    """Ask the guest for its operating system, past the agent."""
    lines = instance.in_guest("cat", "/etc/os-release").splitlines()
    return next(line.partition("=")[2].strip('"') for line in lines if line.startswith("PRETTY_NAME="))


def sight(instance: RealInstance) -> tuple[str, str]:
    """Give the system, and the release that serves, each as it tells it."""
    return system(instance), str(instance.ask(instance.engine.version)[0])


def through(instance: RealInstance, *versions: str) -> list[tuple[str, str]]:
    """Take an instance through versions under a writer; gives what it was at first and after each."""
    before, seen = look(instance), [sight(instance)]
    with instance.written_to():
        for version in versions:
            instance.upgrade(version)
            assert look(instance) == before
            assert instance.version == version
            until(instance.is_one_of_each, TIMEOUT)
            seen.append(sight(instance))
            assert instance.agent.info().os == seen[-1][0]
    return seen


def test_mariadb_moves_over_three_systems_on_one_volume(
    system_images: SystemImages, container: RealInstance
) -> None:
    furnish(container)
    seen = through(container, system_images.new.version_name, system_images.mariadb_testing.version_name)
    systems, releases = zip(*seen, strict=True)
    assert [each.partition(" (")[0] for each in systems[:2]] == ["Debian GNU/Linux 12", "Debian GNU/Linux 13"]
    assert "forky" in systems[2]
    assert [".".join(each.split(".")[:2]) for each in releases] == ["10.11", "11.8", "11.8"]
    assert releases[1] != releases[2]


def test_postgresql_moves_over_two_systems_and_two_releases(
    container_plane: ControlPlane, system_images: SystemImages
) -> None:
    instance = RealInstance.create(container_plane, engine=POSTGRESQL)
    furnish(instance)
    seen = through(instance, system_images.postgresql_17.version_name)
    systems, releases = zip(*seen, strict=True)
    assert [each.partition(" (")[0] for each in systems] == ["Debian GNU/Linux 12", "Debian GNU/Linux 13"]
    assert [each.split(".")[0] for each in releases] == ["15", "17"]
    container_plane.client.instances.delete(instance.id)


def fail(instance: RealInstance, version: str, **options: Any) -> Operation:
    """Upgrade, see it fail, and give the operation."""
    client = instance.plane.client
    started = client.instances.upgrade(instance.id, version, **options)
    assert started
    with pytest.raises(OperationFailed):
        client.operations.wait(started, TIMEOUT)
    return client.operations.get(started)


def test_a_variable_that_the_target_removed_blocks_and_forced_is_refused_by_the_guest(
    system_images: SystemImages, container: RealInstance
) -> None:
    target = system_images.new.version_name
    attach(container, {REMOVED: 20})
    plan = container.plane.client.plans.make(container.id, target)
    blocking = [each for each in plan.blocking() if REMOVED in each.seen]
    assert blocking
    assert all(each.remedy for each in blocking)
    with container.written_to() as writer:
        operation = fail(container, target)
        assert (operation.step, operation.downtime_seconds, writer.last_error) == ("preflight", None, "")
    boot = container.agent.info().boot_id
    with container.written_to():
        operation = fail(container, target, force=True)
    assert operation.error
    assert (operation.turned_back_at, REMOVED in operation.error.sentence()) == ("pre_upgrade", True)
    assert (container.shown.status, container.version) == ("ACTIVE", system_images.old.version_name)
    assert container.agent.info().boot_id == boot
    assert container.ask(f"SELECT @@global.{REMOVED}") == [20]


def test_mariadb_goes_back_to_the_snapshot_after_a_probe_failed(
    system_images: SystemImages, container: RealInstance
) -> None:
    furnish(container)
    container.plane.client.probes.create(
        container.id, "release", database=DATABASE, sql=container.engine.is_old, expected="1"
    )
    before, old = look(container), sight(container)
    with container.written_to():
        operation = fail(container, system_images.new.version_name, on_failure="rollback")
    assert operation.error
    assert "release" in operation.error.sentence()
    assert (operation.turned_back_at, operation.came_back) == ("post_upgrade", True)
    assert (look(container), sight(container)) == (before, old)
    assert (container.shown.status, container.version) == ("ACTIVE", system_images.old.version_name)


def test_an_older_agent_is_driven_through_create_and_upgrade(
    container_plane: ControlPlane, system_images: SystemImages
) -> None:
    old = system_images.older_agent
    instance = RealInstance.create(container_plane, offer(container_plane, old), engine=POSTGRESQL)
    assert instance.agent.info().agent_version == old.agent_version
    with instance.written_to():
        instance.upgrade(system_images.postgresql_17.version_name)
    assert instance.agent.info().agent_version == system_images.postgresql_17.agent_version
    assert instance.shown.status == "ACTIVE"
    container_plane.client.instances.delete(instance.id)


def test_a_container_of_another_size_keeps_its_root_disk_and_what_was_written(
    container: RealInstance,
) -> None:
    client, wait = container.plane.client.instances, container.plane.wait
    furnish(container)
    before, first = look(container), container.container
    container.in_guest("touch", "/var/lib/instar/left-here")
    with container.written_to():
        wait(client.resize(container.id, "2"))
        wait(client.resize_volume(container.id, 2))
        wait(client.reboot(container.id))
    assert container.container != first
    assert container.in_guest("ls", "/var/lib/instar/left-here")
    assert look(container) == before
    assert (container.shown.flavor["id"], container.shown.status) == ("2", "ACTIVE")
    assert container.ask("SELECT @@global.innodb_buffer_pool_size") == [1024 << 20]
