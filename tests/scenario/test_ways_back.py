"""Rollback on failure, abort, the operators' verbs, and undo after success, through the front door."""

from collections.abc import Callable

import pytest

from instar.client.errors import BadRequest, Busy, NeedsConsent, NoWayBack, OperationFailed
from instar.control import wiring
from instar.control.store.tables import Instance
from instar.wire.errors import GuestError, InstarError, ProviderError, Untouched
from instar.wire.rest import Operation
from instar.wire.states import ServerState
from waiting import until
from world import World


def start(world: World, instance_id: str, version: str, **options: str) -> Operation:
    operation = world.client.instances.upgrade(instance_id, version, **options)
    assert operation
    return operation


def fails(world: World, operation: Operation) -> Operation:
    with pytest.raises(OperationFailed) as caught:
        world.client.operations.wait(operation)
    return caught.value.operation


def serves(world: World, instance_id: str, version: str) -> None:
    """Assert what record, machine and guest say of an instance at rest."""
    shown = world.client.instances.get(instance_id)
    assert (shown.status, shown.datastore["version"], shown.fault) == ("ACTIVE", version, None)
    row = world.instance(instance_id)
    assert row.server
    server = world.provider.inspect_server(row.server)
    assert (server.state, server.image) == (ServerState.ACTIVE, row.image)
    assert world.guests.servers[instance_id].running
    assert world.guests.servers[instance_id].manifest.engine_version == version
    assert world.guests.databases[instance_id].engine_version == version


def snapshots(world: World, instance_id: str) -> int:
    volume = world.instance(instance_id).volume
    assert volume
    return len(world.provider.snapshots(volume))


def write(world: World, instance_id: str, name: str) -> None:
    world.guests.databases[instance_id].databases.append(name)


def written(world: World, instance_id: str) -> list[str]:
    return world.guests.databases[instance_id].databases


# -- rollback on failure ------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["17.11", "18.6"])
def test_a_failure_in_the_guest_leads_back(world: World, version: str) -> None:
    instance_id = world.create()
    world.guests.failing["post_upgrade"] = GuestError("The database refuses its configuration: jit_wizardry")
    ended = fails(world, start(world, instance_id, version, on_failure="rollback"))
    assert ended.error
    assert "jit_wizardry" in ended.error.brief
    assert (ended.turned_back_at, ended.came_back, ended.verbs) == ("post_upgrade", True, [])
    serves(world, instance_id, "17.10")
    assert written(world, instance_id) == ["shop"]
    assert snapshots(world, instance_id) == 0


def test_a_server_that_never_comes_up_leads_back_without_its_help(world: World) -> None:
    instance_id = world.create()
    boot = world.provider.on_boot
    world.provider.on_boot = lambda name, image, files: None
    operation = start(world, instance_id, "18.6")
    until(lambda: world.client.operations.get(operation).step == "await_agent")
    world.client.operations.abort(operation)
    world.provider.on_boot = boot
    ended = fails(world, operation)
    assert ended.error
    assert (ended.error.code, ended.turned_back_at) == ("aborted", "await_agent")
    serves(world, instance_id, "17.10")


def test_the_way_back_that_fails_is_an_error_and_is_resumed(world: World) -> None:
    instance_id = world.create()
    world.guests.failing["post_upgrade"] = GuestError("It broke")
    world.guests.failing["come_back"] = GuestError("No bed to lie in")
    operation = start(world, instance_id, "18.6", on_failure="rollback")
    fails(world, operation)
    shown = world.client.instances.get(instance_id)
    assert shown.status == "ERROR"
    assert shown.fault
    assert "The way back failed: No bed to lie in" in shown.fault.message
    assert world.client.operations.get(operation).verbs == ["resume"]
    with pytest.raises(NoWayBack, match="on its way back already"):
        world.client.operations.rollback(operation)
    world.guests.failing.clear()
    world.client.operations.resume(operation)
    fails(world, operation)
    serves(world, instance_id, "17.10")


def test_without_a_wish_a_failure_is_an_error_and_an_operator_may_roll_back(world: World) -> None:
    instance_id = world.create()
    world.guests.failing["post_upgrade"] = GuestError("It broke")
    operation = start(world, instance_id, "18.6")
    assert fails(world, operation).verbs == ["resume", "rollback"]
    assert world.client.instances.get(instance_id).status == "ERROR"
    world.client.operations.rollback(operation)
    ended = fails(world, operation)
    assert ended.error
    assert ended.error.brief == "It broke"
    assert (ended.came_back, ended.verbs) == (True, [])
    serves(world, instance_id, "17.10")


def test_data_converted_in_place_without_a_snapshot_have_no_way_back(world: World) -> None:
    instance_id = world.create()
    world.guests.failing["post_upgrade"] = GuestError("It broke")
    operation = start(world, instance_id, "18.6", method="link", snapshot="never")
    assert fails(world, operation).verbs == ["resume"]
    with pytest.raises(NoWayBack, match="converted in place"):
        world.client.operations.rollback(operation)
    world.guests.failing.clear()
    world.client.operations.resume(operation)
    world.client.operations.wait(operation)
    serves(world, instance_id, "18.6")


@pytest.mark.parametrize(
    ("error", "method"), [(Untouched("pg_upgrade refuses"), "link"), (GuestError("It broke"), "copy")]
)
def test_data_that_are_as_they_were_need_no_snapshot(world: World, error: InstarError, method: str) -> None:
    instance_id = world.create()
    world.guests.failing["post_upgrade"] = error
    operation = start(world, instance_id, "18.6", method=method, snapshot="never")
    assert fails(world, operation).verbs == ["resume", "rollback"]
    world.client.operations.rollback(operation)
    fails(world, operation)
    serves(world, instance_id, "17.10")


def test_a_failed_rebuild_leads_back_onto_the_untouched_volume(world: World) -> None:
    instance_id = world.create()
    world.provider.dials.fail_once("rebuild_server", ProviderError("No valid host was found"))
    ended = fails(world, start(world, instance_id, "18.6", on_failure="rollback"))
    assert ended.turned_back_at == "rebuild"
    serves(world, instance_id, "17.10")
    assert snapshots(world, instance_id) == 0


def test_clients_that_have_written_since_keep_the_snapshot_from_being_taken_back_to(world: World) -> None:
    instance_id = world.create()
    world.guests.before["post_upgrade"] = lambda: world.guests.failing.update(
        {"read_back": GuestError("The catalogue can't be read")}
    )
    operation = start(world, instance_id, "18.6", on_failure="rollback")
    fails(world, operation)
    write(world, instance_id, "precious")
    assert world.client.instances.get(instance_id).status == "ERROR"
    assert world.client.operations.get(operation).verbs == ["resume", "rollback"]
    with pytest.raises(NoWayBack, match="would lose what clients have written since") as refused:
        world.client.operations.rollback(operation)
    world.guests.failing.clear()
    since = refused.value.body.brief.rpartition(" ")[2]
    world.client.operations.rollback(operation, discard_writes_since=since)
    fails(world, operation)
    serves(world, instance_id, "17.10")
    assert written(world, instance_id) == ["shop"]


# -- abort --------------------------------------------------------------------------------------------------


def hold(world: World, instance_id: str, verb: str) -> Callable[[], None]:
    """Have a provider's verb fail in passing until the returned function is called."""
    world.provider.dials.fail_always(verb, ProviderError("Come back later", retryable=True))
    return lambda: world.provider.dials.clear(verb)


@pytest.mark.parametrize(
    ("verb", "step"),
    [("stage", "stage"), ("snapshot_volume", "snapshot"), ("rebuild_server", "rebuild")],
)
def test_an_abort_ends_where_the_operation_stands(world: World, verb: str, step: str) -> None:
    instance_id = world.create()
    let_go = hold(world, instance_id, verb)
    operation = start(world, instance_id, "18.6")
    until(lambda: world.client.operations.get(operation).step == step)
    assert world.client.operations.get(operation).verbs == ["abort"]
    world.client.operations.abort(operation)
    let_go()
    ended = fails(world, operation)
    assert ended.error
    assert (ended.error.code, ended.verbs) == ("aborted", [])
    serves(world, instance_id, "17.10")
    assert snapshots(world, instance_id) == 0


def test_an_abort_says_when_it_does_not_apply(world: World) -> None:
    instance_id = world.create()
    operation = start(world, instance_id, "17.11")
    world.client.operations.wait(operation)
    with pytest.raises(Busy, match="it is SUCCEEDED"):
        world.client.operations.abort(operation)
    world.provider.dials.fail_always("destroy_server", ProviderError("Come back later", retryable=True))
    deletion = world.client.instances.delete(instance_id)
    assert deletion
    until(lambda: world.client.operations.get(deletion).step == "server")
    with pytest.raises(NoWayBack, match="no way leads back"):
        world.client.operations.abort(deletion)
    world.provider.dials.clear("destroy_server")
    world.settle()


# -- undo ---------------------------------------------------------------------------------------------------


def test_an_upgrade_that_kept_the_format_is_undone_with_every_write(world: World) -> None:
    instance_id = world.create()
    world.client.operations.wait(start(world, instance_id, "17.11"))
    write(world, instance_id, "precious")
    kept = world.client.instances.get(instance_id).undo
    assert kept
    assert (kept.version, kept.possible, kept.loses_writes_since) == ("17.10", True, None)
    undoing = world.client.instances.rollback(instance_id)
    assert undoing
    world.client.operations.wait(undoing)
    serves(world, instance_id, "17.10")
    assert written(world, instance_id) == ["shop", "precious"]
    assert world.client.instances.get(instance_id).undo is None
    assert snapshots(world, instance_id) == 0


def test_an_upgrade_that_changed_the_format_is_undone_once_the_loss_is_accepted(world: World) -> None:
    instance_id = world.create()
    world.client.operations.wait(start(world, instance_id, "18.6"))
    write(world, instance_id, "new")
    with pytest.raises(NeedsConsent, match="seconds of writes would be lost"):
        world.client.instances.rollback(instance_id)
    with pytest.raises(NeedsConsent, match="accepts to lose what was written since yesterday"):
        world.client.instances.rollback(instance_id, discard_writes_since="yesterday")
    serves(world, instance_id, "18.6")
    kept = world.client.instances.get(instance_id).undo
    assert kept
    undoing = world.client.instances.rollback(instance_id, discard_writes_since=kept.loses_writes_since)
    assert undoing
    world.client.operations.wait(undoing)
    serves(world, instance_id, "17.10")
    assert written(world, instance_id) == ["shop"]
    assert snapshots(world, instance_id) == 0


def test_a_sick_database_is_no_obstacle_to_its_undoing(world: World) -> None:
    instance_id = world.create()
    world.client.operations.wait(start(world, instance_id, "17.11"))
    world.guests.failing["pre_upgrade"] = GuestError("The database does not answer")
    undoing = world.client.instances.rollback(instance_id)
    assert undoing
    world.client.operations.wait(undoing)
    serves(world, instance_id, "17.10")


def test_what_was_converted_without_a_snapshot_is_not_undone(world: World) -> None:
    instance_id = world.create()
    world.client.operations.wait(start(world, instance_id, "18.6", snapshot="never"))
    with pytest.raises(Busy, match="no snapshot was taken"):
        world.client.instances.rollback(instance_id)


def test_nothing_to_undo_is_said(world: World) -> None:
    instance_id = world.create()
    with pytest.raises(Busy, match="no upgrade that could be undone"):
        world.client.instances.rollback(instance_id)


def test_a_closed_window_takes_the_snapshot_with_it(world: World) -> None:
    instance_id = world.create()
    world.client.instances.set_undo_window(instance_id, 0)
    world.client.operations.wait(start(world, instance_id, "18.6"))
    with pytest.raises(Busy, match="can't be undone"):
        world.client.instances.rollback(instance_id)
    world.close_windows()
    world.settle()
    assert snapshots(world, instance_id) == 0
    assert world.client.instances.get(instance_id).undo is None
    serves(world, instance_id, "18.6")


def test_the_window_of_an_instance_in_error_stays_open(world: World) -> None:
    instance_id = world.create()
    world.client.instances.set_undo_window(instance_id, 0)
    world.client.operations.wait(start(world, instance_id, "17.11"))
    world.guests.failing["post_upgrade"] = GuestError("It broke")
    operation = start(world, instance_id, "18.6")
    fails(world, operation)
    world.close_windows()
    world.settle()
    assert snapshots(world, instance_id) > 0
    world.client.operations.rollback(operation)
    fails(world, operation)
    serves(world, instance_id, "17.11")


def test_a_newer_upgrade_is_what_can_be_undone(world: World) -> None:
    instance_id = world.create()
    world.client.operations.wait(start(world, instance_id, "17.11"))
    world.client.operations.wait(start(world, instance_id, "18.6"))
    kept = world.client.instances.get(instance_id).undo
    assert kept
    assert kept.version == "17.11"
    assert snapshots(world, instance_id) == 1


def test_the_downtime_of_a_way_back_counts_though_another_worker_watched(world: World) -> None:
    instance_id = world.create()
    world.guests.failing["post_upgrade"] = GuestError("It broke")
    operation = start(world, instance_id, "18.6")
    fails(world, operation)
    world.outages.end(operation.id)
    world.client.operations.rollback(operation)
    ended = fails(world, operation)
    assert ended.outage
    assert (ended.outage["down_since"], ended.outage["whole"]) == (None, False)


def test_a_version_that_an_undo_leads_back_to_stays(world: World) -> None:
    instance_id = world.create()
    world.client.operations.wait(start(world, instance_id, "17.11"))
    with pytest.raises(BadRequest, match="can be undone, which leads back to it"):
        world.client.versions.delete(world.client.versions.get("17.10", "postgresql").id)
    undoing = world.client.instances.rollback(instance_id)
    assert undoing
    world.client.operations.wait(undoing)
    serves(world, instance_id, "17.10")


def test_what_a_newer_release_did_before_clients_were_in_goes_with_the_way_back(world: World) -> None:
    """Such as extensions that it brought to its versions: the old image's libraries don't fit them."""
    instance_id = world.create()
    world.guests.before["post_upgrade"] = lambda: write(world, instance_id, "of the new release")
    world.guests.failing["post_upgrade"] = GuestError("A probe failed")
    fails(world, start(world, instance_id, "17.11", on_failure="rollback"))
    serves(world, instance_id, "17.10")
    assert written(world, instance_id) == ["shop"]


def test_a_finding_of_verify_is_not_waved_through_by_a_resume_of_another_step(world: World) -> None:
    instance_id = world.create()
    world.provider.dials.fail_once("rebuild_server", ProviderError("No valid host was found"))
    operation = start(world, instance_id, "17.11")
    fails(world, operation)
    world.guests.before["post_upgrade"] = lambda: world.guests.databases[instance_id].databases.clear()
    world.client.operations.resume(operation)
    ended = fails(world, operation)
    assert ended.error
    assert "'shop' is missing" in ended.error.seen


def test_guests_at_rest_are_asked_though_a_value_waits_for_a_restart(world: World) -> None:
    instance_id = world.create()
    with world.house.store.begin() as session:
        row = session.get_one(Instance, instance_id)
        row.status, row.next_check = "RESTART_REQUIRED", 0.0
    presence = wiring.make_presence(world.house, world.guests)
    assert [each.id for each in presence.claim()] == [instance_id]


# -- what can't be deleted ----------------------------------------------------------------------------------


def stuck(world: World) -> None:
    world.provider.dials.fail_always("destroy_snapshot", ProviderError("The volume service is away"))


def released(world: World, instance_id: str) -> None:
    """Assert that the periodic look deletes what was left, and then has nothing more to do."""
    assert snapshots(world, instance_id) == 1
    assert world.close_windows() == 1
    world.settle()
    assert snapshots(world, instance_id) == 1
    world.provider.dials.clear("destroy_snapshot")
    assert world.close_windows() == 1
    world.settle()
    assert snapshots(world, instance_id) == 0
    assert world.close_windows() == 0
    assert world.instance(instance_id).status == "ACTIVE"


def test_a_snapshot_that_a_way_back_could_not_delete_goes_later(world: World) -> None:
    instance_id = world.create()
    stuck(world)
    world.guests.failing["post_upgrade"] = GuestError("It broke")
    fails(world, start(world, instance_id, "18.6", on_failure="rollback"))
    serves(world, instance_id, "17.10")
    released(world, instance_id)


def test_a_snapshot_that_an_undo_could_not_delete_goes_later(world: World) -> None:
    instance_id = world.create()
    world.client.operations.wait(start(world, instance_id, "18.6"))
    stuck(world)
    undo = world.client.instances.get(instance_id).undo
    assert undo
    since = undo.loses_writes_since
    world.client.operations.wait(world.client.instances.rollback(instance_id, discard_writes_since=since))
    assert world.client.instances.get(instance_id).undo is None
    released(world, instance_id)
