"""An upgrade through the front door: client, door, engine, fake machines."""

import pytest

from instar.client.errors import OperationFailed
from instar.wire.errors import BadRequest, Busy, GuestError, InstarError, NotFound, ProviderError
from instar.wire.states import InstanceStatus, OperationState, StepState
from world import World, manifest

STEPS = [
    "preflight",
    "stage",
    "pre_upgrade",
    "snapshot",
    "rebuild",
    "await_agent",
    "post_upgrade",
    "let_in",
    "verify",
    "tidy",
    "forget",
    "finish",
]


def test_a_major_upgrade(world: World) -> None:
    instance_id = world.create()
    before = world.instance(instance_id)
    operation = world.client.instances.upgrade("demo", "18.6")
    assert operation is not None
    ended = world.client.operations.wait(operation)
    after = world.instance(instance_id)
    assert ended.state == OperationState.SUCCEEDED
    assert [step.name for step in ended.steps or []] == STEPS
    assert (after.version.name, after.engine_version, after.status) == ("18.6", "18.6", "ACTIVE")
    assert after.service_status == "HEALTHY"
    assert (after.address, after.volume_id, after.hostname) == (
        before.address,
        before.volume_id,
        before.hostname,
    )
    assert after.image != before.image
    assert world.guests.databases[instance_id].databases == ["shop"]
    assert world.provider.calls["rebuild_server"] == 1


def test_status_changes_before_the_door_answers(world: World) -> None:
    instance_id = world.create()
    world.worker.stop()
    world.client.instances.upgrade(instance_id, "18.6")
    shown = world.client.instances.get(instance_id)
    assert (shown.status, shown.operating_status) == ("UPGRADE", "")
    assert shown.datastore["version"] == "17.10"


def test_the_same_version_is_rebuilt_too(world: World) -> None:
    instance_id = world.create()
    newer = world.provider.add_image(manifest("17.10", agent="2.0"))
    world.client.versions.update("17.10", datastore="postgresql", image=newer)
    world.client.operations.wait(world.client.instances.upgrade("demo", "17.10"))
    after = world.instance(instance_id)
    assert (after.version.name, after.agent_version, after.image) == ("17.10", "2.0", newer)


@pytest.mark.parametrize(
    ("version", "error", "text"),
    [
        ("99", NotFound, "99"),
        ("16.9", BadRequest, "17.10, 17.11, 18.6"),
        ("b2a0a2b5-9f0c-4b0a-9d8f-0a5f0c0f6c11", NotFound, "cannot be found"),
    ],
)
def test_a_version_that_cannot_be_reached(
    world: World, version: str, error: type[InstarError], text: str
) -> None:
    instance_id = world.create()
    with pytest.raises(error, match=text):
        world.client.instances.upgrade(instance_id, version)
    assert world.instance(instance_id).status == InstanceStatus.ACTIVE


def test_one_major_release_at_a_time_unless_the_version_says_so(world: World) -> None:
    instance_id = world.create(version="16.9")
    with pytest.raises(BadRequest, match="major"):
        world.client.instances.upgrade(instance_id, "18.6")
    world.client.versions.update("18.6", datastore="postgresql", upgrade_from=[">=16,<18"])
    operation = world.client.instances.upgrade(instance_id, "18.6")
    assert world.client.operations.wait(operation).state == OperationState.SUCCEEDED


def test_an_inactive_version_is_refused(world: World) -> None:
    world.create()
    world.client.versions.update("18.6", datastore="postgresql", active=False)
    with pytest.raises(BadRequest, match="not active"):
        world.client.instances.upgrade("demo", "18.6")


def test_a_second_request_names_the_operation_in_the_way(world: World) -> None:
    instance_id = world.create()
    world.worker.stop()
    operation = world.client.instances.upgrade(instance_id, "18.6")
    assert operation
    for verb in (
        lambda: world.client.instances.upgrade(instance_id, "18.6"),
        lambda: world.client.instances.restart(instance_id),
        lambda: world.client.instances.delete(instance_id),
        lambda: list(world.client.databases.list(instance_id)),
    ):
        with pytest.raises(Busy, match=operation.id):
            verb()


def test_what_the_guest_finds_is_refused_before_downtime(world: World) -> None:
    instance_id = world.create()
    world.guests.failing["check_upgrade"] = GuestError("Prepared transactions are open")
    operation = world.client.instances.upgrade(instance_id, "18.6")
    with pytest.raises(OperationFailed, match="Prepared transactions"):
        world.client.operations.wait(operation)
    after = world.instance(instance_id)
    assert (after.status, after.version.name, after.fault) == ("ACTIVE", "17.10", None)
    assert (instance_id, "pre_upgrade") not in world.guests.calls
    assert world.provider.calls["rebuild_server"] == 0


def test_an_exception_in_pre_upgrade_puts_the_old_database_back(world: World) -> None:
    instance_id = world.create()
    world.guests.failing["pre_upgrade"] = GuestError("The data files look wrong")
    operation = world.client.instances.upgrade(instance_id, "18.6")
    with pytest.raises(OperationFailed, match="look wrong"):
        world.client.operations.wait(operation)
    shown = world.client.instances.get(instance_id)
    assert (shown.status, shown.operating_status, shown.datastore["version"]) == (
        "ACTIVE",
        "HEALTHY",
        "17.10",
    )
    assert shown.fault is None
    assert world.guests.servers[instance_id].running
    steps = {step.name: step.state for step in world.client.operations.get(operation).steps or []}  # type: ignore[arg-type]
    assert steps["pre_upgrade"] == StepState.FAILED
    assert steps["reinstate"] == StepState.DONE
    assert "rebuild" not in steps


def test_a_failed_rebuild_is_an_error_with_a_fault_and_resume_mends_it(world: World) -> None:
    instance_id = world.create()
    world.provider.dials.fail_always("rebuild_server", ProviderError("No valid host was found"))
    operation = world.client.instances.upgrade(instance_id, "18.6")
    with pytest.raises(OperationFailed, match="No valid host"):
        world.client.operations.wait(operation)
    shown = world.client.instances.get(instance_id)
    assert (shown.status, shown.datastore["version"]) == ("ERROR", "17.10")
    assert shown.fault
    assert "No valid host" in shown.fault.message
    assert operation
    assert world.client.operations.get(operation).verbs == ["resume", "rollback"]
    world.provider.dials.clear("rebuild_server")
    world.client.operations.resume(operation)
    assert world.client.operations.wait(operation).state == OperationState.SUCCEEDED
    assert world.client.instances.get(instance_id).datastore["version"] == "18.6"


def test_a_failed_post_upgrade_can_be_resumed(world: World) -> None:
    instance_id = world.create()
    world.guests.failing["post_upgrade"] = GuestError("pg_upgrade refused")
    operation = world.client.instances.upgrade(instance_id, "18.6")
    with pytest.raises(OperationFailed, match="pg_upgrade refused"):
        world.client.operations.wait(operation)
    assert world.instance(instance_id).version.name == "17.10"
    del world.guests.failing["post_upgrade"]
    world.client.operations.resume(operation)  # type: ignore[arg-type]
    assert world.client.operations.wait(operation).state == OperationState.SUCCEEDED
    assert world.provider.calls["rebuild_server"] == 1


def test_success_is_not_claimed_when_something_got_lost(world: World) -> None:
    instance_id = world.create()
    forget = world.guests.databases[instance_id]
    world.provider.on_stop = lambda name: forget.databases.clear()
    operation = world.client.instances.upgrade(instance_id, "18.6")
    with pytest.raises(OperationFailed, match="shop"):
        world.client.operations.wait(operation)
    assert world.instance(instance_id).version.name == "17.10"


def test_a_failed_upgrade_that_left_the_instance_alone_is_not_resumed(world: World) -> None:
    instance_id = world.create()
    world.guests.failing["check_upgrade"] = GuestError("No")
    operation = world.client.instances.upgrade(instance_id, "18.6")
    with pytest.raises(OperationFailed):
        world.client.operations.wait(operation)
    with pytest.raises(Busy, match="send the request again"):
        world.client.operations.resume(operation)  # type: ignore[arg-type]


def test_the_method_is_frozen_with_the_operation(world: World) -> None:
    instance_id = world.create()
    operation = world.client.instances.upgrade(instance_id, "18.6", method="copy")
    assert operation
    assert world.client.operations.wait(operation).inputs["method"] == "copy"


def test_an_extension_that_the_new_image_lacks_is_refused_before_downtime(world: World) -> None:
    instance_id = world.create()
    world.guests.databases[instance_id].extensions["shop/pgcrypto"] = "1.3"
    image = world.provider.add_image(
        manifest("18.6", agent="3").model_copy(update={"extensions": {"plpgsql": "1.0"}})
    )
    world.client.versions.update("18.6", datastore="postgresql", image=image)
    operation = world.client.instances.upgrade(instance_id, "18.6")
    with pytest.raises(OperationFailed, match="pgcrypto"):
        world.client.operations.wait(operation)
    assert world.instance(instance_id).status == InstanceStatus.ACTIVE
    assert (instance_id, "pre_upgrade") not in world.guests.calls


def test_what_a_client_drops_during_the_upgrade_is_not_missed(world: World) -> None:
    """What was there before is read when clients are out, not when the upgrade was asked for."""
    instance_id = world.create()
    world.guests.before["pre_upgrade"] = world.guests.databases[instance_id].databases.clear
    operation = world.client.instances.upgrade(instance_id, "18.6")
    assert world.client.operations.wait(operation).state == OperationState.SUCCEEDED


def test_a_setting_taken_out_to_mend_a_failure_does_not_fail_the_resumed_upgrade(world: World) -> None:
    instance_id = world.create()
    database = world.guests.databases[instance_id]
    database.settings["shared_preload_libraries"] = "gone"
    world.guests.failing["post_upgrade"] = GuestError("The library is not there")
    operation = world.client.instances.upgrade(instance_id, "18.6")
    with pytest.raises(OperationFailed):
        world.client.operations.wait(operation)
    database.settings.clear()
    del world.guests.failing["post_upgrade"]
    world.client.operations.resume(operation)  # type: ignore[arg-type]
    assert world.client.operations.wait(operation).state == OperationState.SUCCEEDED
