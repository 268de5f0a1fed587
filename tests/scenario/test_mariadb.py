"""A second engine through the front door: what differs from PostgreSQL in the control plane alone."""

from typing import Any

import pytest

from instar.client.errors import BadRequest, NotFound, OperationFailed, Unprocessable
from instar.wire.errors import Severity
from instar.wire.states import OperationState
from mariadb_images import add_mariadb
from world import World

OLD, NEW, NEWER = "10.11.14", "11.8.3", "11.8.6"


@pytest.fixture
def maria(world: World) -> World:
    """A control plane with images of MariaDB beside PostgreSQL's, and an instance of the oldest."""
    add_mariadb(world)
    world.client.instances.create(
        "shop", flavor="1", volume_size=1, datastore="mariadb", version=OLD, databases=["orders"]
    )
    world.settle()
    return world


def attach(world: World, version: str = OLD, **values: Any) -> Any:
    """Put values in force on the instance."""
    group = world.client.configurations.create("web", values, datastore="mariadb", version=version)
    world.client.configurations.attach("shop", "web")
    return group


def test_an_instance_answers_at_its_engines_port(maria: World) -> None:
    shown = maria.client.instances.get("shop")
    assert (shown.status, shown.port, shown.datastore["type"]) == ("ACTIVE", 3306, "mariadb")
    assert shown.engine_version == OLD


def test_users_of_one_name_and_several_hosts_are_told_apart(maria: World) -> None:
    users = maria.client.users
    users.create("shop", "ann", "one", databases=["orders"])
    users.create("shop", "ann", "two", host="10.0.%")
    users.create("shop", "a@b.example", "three")
    assert [(user.name, user.host) for user in users.list("shop")] == [
        ("a@b.example", "%"),
        ("ann", "%"),
        ("ann", "10.0.%"),
    ]
    assert [one.name for one in users.get("shop", "ann").databases] == ["orders"]
    assert users.get("shop", "ann", "10.0.%").databases == []
    users.grant("shop", "ann", ["orders"], host="10.0.%")
    users.revoke("shop", "ann", "orders")
    assert [one.name for one in users.get("shop", "ann", "10.0.%").databases] == ["orders"]
    users.update("shop", "ann", host="10.0.%", password="four")
    users.delete("shop", "ann")
    users.delete("shop", "a@b.example")
    with pytest.raises(NotFound):
        users.get("shop", "ann", "%")
    assert [(user.name, user.host) for user in users.list("shop")] == [("ann", "10.0.%")]


def test_any_host_may_be_written_out(maria: World) -> None:
    maria.client.users.create("shop", "ann", "one", host="%")
    assert maria.client.users.get("shop", "ann").host == "%"
    with pytest.raises(BadRequest, match="host"):
        maria.client.users.create("shop", "eve", "one", host="somewhere else")


def test_root_is_let_in_and_shut_out(maria: World) -> None:
    made = maria.client.root.enable("shop")
    assert (made.name, made.host) == ("root", "%")
    assert made.password
    assert maria.client.root.is_enabled("shop")
    maria.client.root.disable("shop")
    assert not maria.client.root.is_enabled("shop")


@pytest.mark.parametrize(
    ("character_set", "collate"),
    [("utf8mb4", None), ("UTF8MB4", "utf8mb4_unicode_ci"), (None, "uca1400_ai_ci"), ("utf8", "utf8mb3_bin")],
)
def test_text_of_a_database_is_what_the_engine_knows(
    maria: World, character_set: str | None, collate: str | None
) -> None:
    maria.client.databases.create("shop", "stock", character_set=character_set, collate=collate)
    assert "stock" in [database.name for database in maria.client.databases.list("shop")]


@pytest.mark.parametrize(
    ("character_set", "collate", "field"),
    [
        ("WIN1252", None, "databases.0.character_set"),
        ("utf8mb4", "latin1_swedish_ci", "databases.0.collate"),
        (None, "en_US.UTF-8", "databases.0.collate"),
        (None, "x; DROP", "databases.0.collate"),
    ],
)
def test_text_that_the_engine_cannot_know_is_refused(
    maria: World, character_set: str | None, collate: str | None, field: str
) -> None:
    with pytest.raises(BadRequest, match=field):
        maria.client.databases.create("shop", "stock", character_set=character_set, collate=collate)


def test_values_are_read_as_the_engine_reads_them(maria: World) -> None:
    attach(
        maria,
        **{"innodb-buffer-pool-size": "256M", "Event_Scheduler": "on", "innodb_strict_mode": 0},
        long_query_time="0.5",
    )
    assert maria.client.configurations.get("web").values == {
        "innodb_buffer_pool_size": "256M",
        "event_scheduler": "on",
        "innodb_strict_mode": 0,
        "long_query_time": "0.5",
    }


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("innodb_buffer_pool_size", "256MB", "suffixes are K, M, G, T, P, E"),
        ("innodb_buffer_pool_size", "1M", "below the minimum of 2097152"),
        ("max_connections", "1.5", "not a whole number"),
        ("innodb_strict_mode", "yes", "neither on nor off"),
        ("event_scheduler", "3", "not one of those"),
        ("my_cache.key_buffer_size", "1M", "no parameter"),
        ("port", 3307, "can't be set"),
    ],
)
def test_values_that_the_engine_would_not_take_are_refused(
    maria: World, name: str, value: Any, why: str
) -> None:
    with pytest.raises(Unprocessable, match=why):
        attach(maria, **{name: value})


def test_a_removed_parameter_blocks_with_its_name_and_remedy(maria: World) -> None:
    group = attach(maria, innodb_change_buffering="all", max_connections=200)
    plan = maria.client.plans.make("shop", NEW)
    (blocking,) = plan.blocking()
    assert blocking.check == "configuration.innodb_change_buffering"
    assert "no change buffer any more" in blocking.seen
    assert blocking.remedy.endswith(f"instar configuration set {group.id} --unset innodb_change_buffering")
    with pytest.raises(OperationFailed, match="innodb_change_buffering"):
        maria.client.operations.wait(maria.client.instances.upgrade("shop", NEW))
    maria.client.configurations.edit("web", {"innodb_change_buffering": None})
    assert maria.client.plans.make("shop", NEW).allowed


def test_an_upgrade_and_its_undoing(maria: World) -> None:
    attach(maria, tx_isolation="READ-COMMITTED", innodb_buffer_pool_size="256M")
    maria.client.users.create("shop", "ann", "one", host="10.0.%", databases=["orders"])
    instance_id = maria.client.instances.resolve("shop")
    plan = maria.client.plans.make("shop", NEW)
    assert (plan.allowed, plan.format_changes, plan.method) == (True, True, "in place")
    assert plan.snapshot.taken
    assert plan.forecast.sort.startswith("mariadb|10.11->11.8|in place|")
    assert not [one for one in plan.findings if one.check in ("text_ordering", "extension")]
    maria.client.operations.wait(maria.client.instances.upgrade("shop", NEW, plan=plan.hash))
    database = maria.guests.databases[instance_id]
    assert database.settings == {
        "transaction_isolation": "READ-COMMITTED",
        "innodb_buffer_pool_size": "256M",
    }
    assert [(user.name, user.host) for user in maria.client.users.list("shop")] == [("ann", "10.0.%")]
    undo = maria.client.instances.get("shop").undo
    assert undo
    assert undo.loses_writes_since
    maria.client.operations.wait(
        maria.client.instances.rollback("shop", discard_writes_since=undo.loses_writes_since)
    )
    shown = maria.client.instances.get("shop")
    assert (shown.engine_version, shown.datastore["version"], shown.status) == (OLD, OLD, "ACTIVE")
    assert maria.guests.databases[instance_id].settings["tx_isolation"] == "READ-COMMITTED"


def test_within_a_series_every_write_is_kept_on_the_way_back(maria: World) -> None:
    maria.client.operations.wait(maria.client.instances.upgrade("shop", NEW))
    plan = maria.client.plans.make("shop", NEWER)
    assert (plan.format_changes, plan.point_of_no_return) == (False, None)
    assert "every write kept" in plan.undo
    maria.client.operations.wait(maria.client.instances.upgrade("shop", NEWER))
    ended = maria.client.operations.wait(maria.client.instances.rollback("shop"))
    assert ended.state == OperationState.SUCCEEDED
    assert maria.client.instances.get("shop").engine_version == NEW


def test_in_place_without_a_snapshot_nothing_leads_back(maria: World) -> None:
    plan = maria.client.plans.make("shop", NEW, snapshot="never")
    assert plan.point_of_no_return == "post_upgrade"
    (warning,) = [one for one in plan.findings if one.check == "way_back"]
    assert warning.severity is Severity.WARN
    assert "clone" not in warning.remedy
    assert not maria.client.plans.make("shop", NEW, snapshot="never", on_failure="rollback").allowed


def test_a_method_of_another_engine_is_refused_at_the_door(maria: World) -> None:
    with pytest.raises(BadRequest, match="no method link"):
        maria.client.instances.upgrade("shop", NEW, method="link")
    maria.create()
    with pytest.raises(BadRequest, match="no method in place"):
        maria.client.plans.make("demo", "18.6", method="in place")
