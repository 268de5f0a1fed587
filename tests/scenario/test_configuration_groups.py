"""Configuration groups through the front door: made, attached, changed, refused, detached, deleted."""

import threading
from typing import Any

import pytest
from sqlalchemy import event

from instar.client.errors import BadRequest, Busy, NotFound, Unavailable, Unprocessable
from instar.control import wiring
from instar.control.store import configurations
from instar.control.store.tables import Configuration, DatastoreVersion
from instar.wire.agent import Parameter
from instar.wire.errors import GuestError, GuestUnreachable, InstarError
from waiting import until
from world import World, catalogue, manifest
from wsgi_transport import client_of


def group(world: World, name: str = "web", version: str = "17.10", **values: Any) -> Any:
    """Make a group."""
    return world.client.configurations.create(name, values or {"work_mem": "64MB"}, version=version)


def settings(world: World, instance_id: str) -> dict[str, str]:
    """Look what the database itself has."""
    return world.guests.databases[instance_id].settings


def test_a_group_is_shown_with_its_values_and_listed_without(world: World) -> None:
    made = group(world, work_mem="64MB", jit=False)
    assert (made.values, made.instance_count) == ({"work_mem": "64MB", "jit": False}, 0)
    assert (made.datastore_name, made.datastore_version_name) == ("postgresql", "17.10")
    assert made.datastore_version_number == "17.10"
    (listed,) = world.client.configurations.list()
    assert (listed.id, listed.values) == (made.id, None)
    assert world.client.configurations.get("web") == made


def test_groups_are_listed_newest_first_in_pages(world: World) -> None:
    names = [f"group {number}" for number in range(5)]
    for name in names:
        group(world, name)
    project = world.house.conf.api.project
    with world.house.store.read() as session:
        first = configurations.page(session, project, 3, None)
        rest = configurations.page(session, project, 3, first[-1])
    assert [each.name for each in first + rest] == names[::-1]


def test_an_attached_group_is_in_force_and_a_detached_one_is_not(world: World) -> None:
    instance_id = world.create()
    made = group(world)
    world.client.configurations.attach("demo", "web")
    assert settings(world, instance_id) == {"work_mem": "64MB"}
    shown = world.client.instances.get("demo")
    assert shown.configuration
    assert shown.configuration["id"] == made.id
    assert (shown.status, shown.operating_status) == ("ACTIVE", "HEALTHY")
    assert world.client.configurations.get("web").instance_count == 1
    (attached,) = world.client.configurations.instances("web")
    assert (attached.id, attached.name, attached.in_force) == (instance_id, "demo", True)
    world.client.configurations.detach("demo")
    assert settings(world, instance_id) == {}
    assert world.client.instances.get("demo").configuration is None
    assert world.client.configurations.detach("demo") is None


def test_a_list_asks_the_record_as_often_for_many_groups_as_for_one(world: World) -> None:
    for name in ("first", "second", "third"):
        world.create(name)
        group(world, name)
        world.client.configurations.attach(name, name)
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    event.listen(world.house.store.engine, "before_cursor_execute", note)
    listed = world.client.configurations._http.request("GET", "/instances/detail").json()["instances"]
    event.remove(world.house.store.engine, "before_cursor_execute", note)
    assert [each["configuration"]["name"] for each in listed] == ["third", "second", "first"]
    assert sum("FROM configurations" in statement for statement in asked) == 1


def test_an_empty_change_of_an_instance_detaches(world: World) -> None:
    instance_id = world.create()
    group(world)
    world.client.configurations.attach("demo", "web")
    body = {"instance": {}}
    world.client.configurations._http.request("PUT", f"/instances/{instance_id}", json=body)
    assert settings(world, instance_id) == {}


def test_an_instance_is_created_with_a_group(world: World) -> None:
    made = group(world, max_connections=50)
    created = world.client.instances.create(
        "tuned", flavor="1", volume_size=1, datastore="postgresql", version="17.10", configuration=made.id
    )
    world.settle()
    shown = world.client.instances.get(created)
    assert shown.configuration
    assert shown.configuration["name"] == "web"
    assert shown.status == "ACTIVE"
    assert settings(world, created.id) == {"max_connections": "50"}
    assert world.instance(created.id).settings == {"max_connections": 50}


def test_a_group_of_another_version_is_refused(world: World) -> None:
    world.create()
    made = group(world, version="18.6")
    with pytest.raises(BadRequest, match="another datastore version"):
        world.client.configurations.attach("demo", made)
    with pytest.raises(BadRequest, match="another datastore version"):
        world.client.instances.create(
            "tuned", flavor="1", volume_size=1, version="17.10", datastore="postgresql", configuration=made.id
        )


def test_a_second_group_and_an_unknown_one_are_refused(world: World) -> None:
    world.create()
    group(world)
    world.client.configurations.attach("demo", "web")
    other = group(world, "other")
    with pytest.raises(BadRequest, match="attached already"):
        world.client.configurations.attach("demo", other)
    with pytest.raises(NotFound):
        world.client.configurations.attach("demo", "00000000-0000-4000-8000-000000000000")


def test_bad_values_are_all_told_at_once_and_make_nothing(world: World) -> None:
    bad = {"work_mem": "64mb", "max_connections": 0, "nonesuch": 1, "port": 5433, "jit": "perhaps"}
    with pytest.raises(Unprocessable) as refused:
        group(world, **bad)
    assert {each.check for each in refused.value.body.findings} == {f"configuration.{name}" for name in bad}
    assert list(world.client.configurations.list()) == []


def test_names_are_spelt_as_the_catalogue_does(world: World) -> None:
    assert group(world, WORK_MEM="64MB").values == {"work_mem": "64MB"}
    changed = world.client.configurations.edit("web", {"Work_Mem": "32MB"})
    assert changed.values == {"work_mem": "32MB"}


def test_an_edit_merges_and_is_in_force_when_it_answers(world: World) -> None:
    instance_id = world.create()
    group(world, work_mem="64MB", jit="off")
    world.client.configurations.attach("demo", "web")
    changed = world.client.configurations.edit("web", {"work_mem": "32MB", "random_page_cost": 1.1})
    assert changed.values == {"work_mem": "32MB", "jit": "off", "random_page_cost": 1.1}
    assert settings(world, instance_id) == {"work_mem": "32MB", "jit": "off", "random_page_cost": "1.1"}
    world.client.configurations.edit("web", {"jit": None})
    assert settings(world, instance_id) == {"work_mem": "32MB", "random_page_cost": "1.1"}


def test_a_replacement_reaches_every_instance(world: World) -> None:
    ids = [world.create("one"), world.create("two")]
    group(world)
    for instance_id in ids:
        world.client.configurations.attach(instance_id, "web")
    assert world.client.configurations.replace("web", {"jit": "off"}) is None
    world.settle()
    assert [settings(world, instance_id) for instance_id in ids] == [{"jit": "off"}] * 2
    assert all(each.in_force for each in world.client.configurations.instances("web"))


def test_what_waits_for_a_restart_is_shown_until_the_restart(world: World) -> None:
    world.create()
    group(world, max_connections=50)
    world.client.configurations.attach("demo", "web")
    assert world.client.instances.get("demo").status == "RESTART_REQUIRED"
    (attached,) = world.client.configurations.instances("web")
    assert attached.restart_required
    world.client.operations.wait(world.client.instances.restart("demo"))
    assert world.client.instances.get("demo").status == "ACTIVE"


def test_a_value_that_the_database_refuses_leaves_the_old_ones(world: World) -> None:
    instance_id = world.create()
    group(world)
    world.client.configurations.attach("demo", "web")
    world.guests.failing["apply_configuration"] = GuestError("search_path is not valid here")
    with pytest.raises(Unprocessable, match="search_path is not valid here"):
        world.client.configurations.edit("web", {"search_path": "nowhere"})
    assert world.client.configurations.get("web").values == {"work_mem": "64MB"}
    assert world.instance(instance_id).settings == {"work_mem": "64MB"}
    assert world.client.instances.get("demo").status == "ACTIVE"


def test_an_attach_that_the_database_refuses_attaches_nothing(world: World) -> None:
    world.create()
    group(world)
    world.guests.failing["apply_configuration"] = GuestError("not with this memory")
    with pytest.raises(Unprocessable, match="not with this memory"):
        world.client.configurations.attach("demo", "web")
    assert world.client.instances.get("demo").configuration is None
    assert world.client.configurations.get("web").instance_count == 0


def test_one_instance_that_refuses_does_not_hide_that_the_other_followed(world: World) -> None:
    ids = [world.create("one"), world.create("two")]
    group(world)
    for instance_id in ids:
        world.client.configurations.attach(instance_id, "web")
    refusals = iter([GuestError("no"), None])

    def refuse_once() -> None:
        error = next(refusals)
        if error:
            raise error

    world.guests.before["apply_configuration"] = refuse_once
    with pytest.raises(Unprocessable, match="1 of 2 instances did not follow; the group has the new values"):
        world.client.configurations.edit("web", {"jit": "off"})
    followed = {each.in_force for each in world.client.configurations.instances("web")}
    assert followed == {True, False}
    del world.guests.before["apply_configuration"]
    world.client.configurations.edit("web", {"jit": "off"})
    assert all(each.in_force for each in world.client.configurations.instances("web"))


def test_a_change_is_refused_whole_while_an_instance_is_busy(world: World) -> None:
    instance_id = world.create()
    group(world)
    world.client.configurations.attach("demo", "web")
    world.guests.silent.add(instance_id)
    restarting = world.client.instances.restart("demo")
    assert restarting
    with pytest.raises(Busy, match=restarting.id):
        world.client.configurations.edit("web", {"jit": "off"})
    with pytest.raises(Busy, match=restarting.id):
        world.client.configurations.replace("web", {"jit": "off"})
    with pytest.raises(BadRequest, match=restarting.id):
        world.client.configurations.detach("demo")
    assert world.client.configurations.get("web").values == {"work_mem": "64MB"}
    world.guests.silent.clear()
    world.settle()


def test_a_guest_that_does_not_answer_in_time_is_told_of(world: World) -> None:
    world.house.conf.set_override("answer_timeout", 0.1, "api")
    hasty = client_of(
        wiring.make_door(world.house, world.worker.wake),
        world.house.conf.api.project,
        next(iter(wiring.local_tokens(world.house.conf))),
    )
    instance_id = world.create()
    group(world)
    world.client.configurations.attach("demo", "web")
    world.guests.silent.add(instance_id)
    with pytest.raises(Unavailable, match="has not ended yet"):
        hasty.configurations.edit("web", {"jit": "off"})
    world.guests.silent.clear()
    until(lambda: settings(world, instance_id) == {"work_mem": "64MB", "jit": "off"})
    world.settle()


def test_a_group_in_use_stays(world: World) -> None:
    instance_id = world.create()
    group(world)
    world.client.configurations.attach("demo", "web")
    with pytest.raises(BadRequest, match="attached to demo"):
        world.client.configurations.delete("web")
    world.client.operations.wait(world.client.instances.delete(instance_id))
    world.client.configurations.delete("web")
    assert list(world.client.configurations.list()) == []


def test_a_group_that_is_being_attached_stays(world: World) -> None:
    instance_id = world.create()
    made = group(world)
    world.guests.silent.add(instance_id)
    world.house.conf.set_override("answer_timeout", 0.1, "api")
    hasty = client_of(
        wiring.make_door(world.house, world.worker.wake),
        world.house.conf.api.project,
        next(iter(wiring.local_tokens(world.house.conf))),
    )
    operation = hasty.configurations.attach("demo", made)
    assert operation
    assert operation.state == "OPEN"
    with pytest.raises(BadRequest, match=operation.id):
        world.client.configurations.delete("web")
    with pytest.raises(Busy, match=operation.id):
        world.client.configurations.edit("web", {"jit": "off"})
    world.guests.silent.clear()
    world.settle()
    assert world.client.configurations.get("web").instance_count == 1


def test_groups_are_a_projects_own(world: World) -> None:
    made = group(world)
    with world.house.store.begin() as session:
        session.get_one(Configuration, made.id).project = "somebody else"
    assert list(world.client.configurations.list()) == []
    with pytest.raises(NotFound):
        world.client.configurations.get(made.id)


def test_a_twin_for_another_version_is_made_once_for_the_same_values(world: World) -> None:
    made = group(world)
    with world.house.store.begin() as session:
        row = session.get_one(Configuration, made.id)
        versions = {each.name: each for each in session.query(DatastoreVersion)}
        twin = configurations.for_version(session, row, versions["18.6"], {"jit": "off"}, 1.0)
        again = configurations.for_version(session, row, versions["18.6"], {"jit": "off"}, 2.0)
        other = configurations.for_version(session, row, versions["18.6"], {"jit": "on"}, 2.0)
        assert (twin.name, twin.version_id, twin.project) == ("web (18.6)", versions["18.6"].id, row.project)
        assert again.id == twin.id != other.id
        assert configurations.for_version(session, row, versions["17.10"], row.settings, 2.0).id == row.id
        session.flush()
        session.refresh(twin)
        onward = configurations.for_version(session, twin, versions["17.11"], {"jit": "off"}, 3.0)
        assert onward.name == "web (17.11)"


def test_defaults_and_parameters(world: World) -> None:
    world.create()
    defaults = world.client.configurations.defaults("demo")
    assert defaults["max_connections"] == "100"
    assert "port" not in defaults
    known = {each.name: each for each in world.client.parameters.list("17.10", "postgresql")}
    assert known["max_connections"].restart_required
    assert (known["work_mem"].min, known["work_mem"].unit) == (64, "kB")
    assert "port" not in known
    assert world.client.parameters.get("18.6", "ssl_groups").type == "string"
    for name in ("port", "nonesuch"):
        with pytest.raises(NotFound):
            world.client.parameters.get("17.10", name)


def test_a_version_with_a_group_stays(world: World) -> None:
    group(world, version="16.9")
    with pytest.raises(BadRequest, match="1 configuration groups"):
        world.client.versions.delete("16.9")
    world.client.configurations.delete("web")
    world.client.versions.delete("16.9")


def test_a_guest_that_never_answers_leaves_the_record_as_it_was_and_says_that_it_is_not_sure(
    world: World,
) -> None:
    instance_id = world.create()
    group(world)
    gone = GuestUnreachable("The agent went away for good", retryable=False)
    world.guests.failing["apply_configuration"] = gone
    with pytest.raises(Unavailable, match="went away"):
        world.client.configurations.attach("demo", "web")
    shown = world.client.instances.get(instance_id)
    assert (shown.status, shown.configuration) == ("ERROR", None)
    assert shown.fault
    assert "went away" in shown.fault.message
    world.guests.failing.clear()
    operation = next(iter(world.client.instances.operations(instance_id)))
    assert operation.verbs == ["resume"]
    world.client.operations.resume(operation)
    world.settle()
    assert world.client.instances.get(instance_id).status == "ACTIVE"


def test_an_abort_of_a_configuration_puts_the_old_values_back(world: World) -> None:
    instance_id = world.create()
    group(world, work_mem="64MB")
    gone = GuestUnreachable("The agent is restarting", retryable=True)
    world.guests.failing["apply_configuration"] = gone
    waiting = threading.Thread(target=lambda: attach_in_vain(world), daemon=True)
    waiting.start()
    until(lambda: next(iter(world.client.instances.operations(instance_id))).kind == "configure")
    operation = next(iter(world.client.instances.operations(instance_id)))
    world.client.operations.abort(operation)
    world.guests.failing.clear()
    world.settle()
    waiting.join()
    assert world.client.instances.get(instance_id).status == "ACTIVE"
    assert settings(world, instance_id) == {}


def attach_in_vain(world: World) -> None:
    with pytest.raises(InstarError):
        world.client.configurations.attach("demo", "web")


def test_a_group_moves_with_an_upgrade_and_waits_for_the_way_back(world: World) -> None:
    instance_id = world.create()
    group(world, work_mem="64MB", ssl_ecdh_curve="secp384r1")
    world.client.configurations.attach("demo", "web")
    world.client.operations.wait(world.client.instances.upgrade("demo", "18.6"))
    shown = world.client.instances.get("demo")
    assert shown.configuration
    assert shown.configuration["name"] == "web (18.6)"
    moved = {"work_mem": "64MB", "ssl_groups": "secp384r1"}
    assert world.client.configurations.get("web (18.6)").values == moved
    assert settings(world, instance_id) == moved
    (attached,) = world.client.configurations.instances("web (18.6)")
    assert attached.in_force
    with pytest.raises(BadRequest, match="undone"):
        world.client.configurations.delete("web")


def test_a_group_that_was_taken_off_and_deleted_does_not_come_back(world: World) -> None:
    instance_id = world.create()
    group(world, work_mem="64MB")
    world.client.configurations.attach("demo", "web")
    world.client.operations.wait(world.client.instances.upgrade("demo", "17.11"))
    world.client.configurations.detach("demo")
    world.client.configurations.delete("web")
    world.client.operations.wait(world.client.instances.rollback("demo"))
    assert world.client.instances.get("demo").configuration is None
    assert settings(world, instance_id) == {}


def test_values_set_since_the_upgrade_go_with_its_undoing(world: World) -> None:
    instance_id = world.create()
    world.client.operations.wait(world.client.instances.upgrade("demo", "17.11"))
    group(world, version="17.11", work_mem="64MB")
    world.client.configurations.attach("demo", "web")
    world.client.operations.wait(world.client.instances.rollback("demo"))
    assert world.client.instances.get("demo").configuration is None
    assert settings(world, instance_id) == {}


def test_an_empty_group_moves_with_the_upgrade(world: World) -> None:
    world.create()
    made = group(world)
    world.client.configurations.attach("demo", "web")
    world.client.configurations.replace(made.id, {})
    world.settle()
    world.client.operations.wait(world.client.instances.upgrade("demo", "18.6"))
    shown = world.client.instances.get("demo")
    assert shown.configuration
    assert shown.configuration["name"] == "web (18.6)"


# -- what is hidden -----------------------------------------------------------------------------------------


@pytest.fixture
def secretive(world: World) -> World:
    """A group with a value that may hold a password."""
    known = [*catalogue("17.10"), Parameter(name="archive_command", type="string")]
    image = world.provider.add_image(manifest("17.10", agent="2"), known)
    world.client.versions.update("17.10", datastore="postgresql", image=image)
    wiring.read_catalogues(world.house)
    group(world, archive_command="push --key hush %p", jit="on")
    return world


def kept(world: World) -> dict[str, Any]:
    """Give the values that the record holds."""
    with world.house.store.read() as session:
        return session.query(Configuration).one().settings


def test_what_an_answer_hides_may_be_sent_back_and_stays(secretive: World) -> None:
    shown = secretive.client.configurations.get("web").values
    assert shown == {"archive_command": "***", "jit": "on"}
    secretive.client.configurations.replace("web", shown | {"jit": "off"})
    assert kept(secretive) == {"archive_command": "push --key hush %p", "jit": "off"}
    secretive.client.configurations.edit("web", {"archive_command": "***", "work_mem": "64MB"})
    assert kept(secretive)["archive_command"] == "push --key hush %p"
    secretive.client.configurations.replace("web", {"archive_command": "push %p"})
    assert kept(secretive) == {"archive_command": "push %p"}


def test_a_mask_that_hides_nothing_is_refused(secretive: World) -> None:
    with pytest.raises(Unprocessable, match="archive_command"):
        group(secretive, "other", archive_command="***")
    secretive.client.configurations.replace("web", {"jit": "on"})
    with pytest.raises(Unprocessable, match="archive_command"):
        secretive.client.configurations.replace("web", {"archive_command": "***"})
