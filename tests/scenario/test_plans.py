"""Plans through the front door: everything that is in the way told at once, and held to by the upgrade."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from instar.client.errors import OperationFailed
from instar.control.operations.planning import sight
from instar.control.store.tables import PlanRow
from instar.wire.agent import IndexAtRisk, Parameter, UpgradeFacts
from instar.wire.errors import BadRequest, Finding, GuestError, InstarError, NotFound, Severity
from instar.wire.plans import Plan
from instar.wire.states import InstanceStatus, OperationState
from world import World, catalogue, manifest


def found(plan: Plan, severity: Severity = Severity.BLOCK) -> dict[str, str]:
    """Give what was seen, by check."""
    return {finding.check: finding.seen for finding in plan.findings if finding.severity is severity}


def use_image(
    world: World, version: str = "18.6", parameters: list[Parameter] | None = None, **facts: object
) -> str:
    """Register another image with a version; its catalogue is the usual one unless it is given."""
    known = catalogue(version) if parameters is None else parameters
    image = world.provider.add_image(manifest(version, agent="2").model_copy(update=facts), known)
    world.client.versions.update(version, datastore="postgresql", image=image)
    return image


def test_a_plan_of_a_major_upgrade_changes_nothing(world: World) -> None:
    instance_id = world.create()
    before = world.instance(instance_id)
    plan = world.client.plans.make("demo", "18.6")
    assert plan.allowed
    assert (plan.version_before, plan.version_after) == ("17.10", "18.6")
    assert (plan.format_changes, plan.method, plan.on_failure) == (True, "link", "error")
    assert (plan.snapshot.taken, plan.snapshot.instant) == (True, True)
    assert plan.point_of_no_return is None
    assert "snapshot" in plan.undo
    assert [step.name for step in plan.steps][:3] == ["preflight", "stage", "pre_upgrade"]
    assert all(step.way_back for step in plan.steps)
    assert (plan.forecast.upgrades, plan.forecast.p50) == (0, None)
    after = world.instance(instance_id)
    assert (after.status, after.updated) == (InstanceStatus.ACTIVE, before.updated)
    hooks = {hook for _, hook in world.guests.calls}
    assert hooks <= {"prepare", "read_back", "check_upgrade"}
    assert world.provider.calls["rebuild_server"] == world.provider.calls["snapshot_volume"] == 0


def test_a_plan_is_kept_under_its_id_and_its_hash(world: World) -> None:
    world.create()
    plan = world.client.plans.make("demo", "18.6")
    assert world.client.plans.get("demo", plan.id) == plan
    assert world.client.plans.get("demo", plan.hash) == plan
    assert [each.hash for each in world.client.plans.list("demo")] == [plan.hash]
    with pytest.raises(NotFound):
        world.client.plans.get("demo", "0" * 32)


def test_the_newest_twenty_plans_are_kept(world: World) -> None:
    world.create()
    first = world.client.plans.make("demo", "18.6")
    for _ in range(20):
        world.client.plans.make("demo", "17.11")
    kept = list(world.client.plans.list("demo"))
    assert len(kept) == 20
    assert first.hash not in {plan.hash for plan in kept}


@pytest.mark.parametrize(("version", "error"), [("99", NotFound), ("16.9", BadRequest)])
def test_a_version_that_cannot_be_reached_is_refused_at_the_door(
    world: World, version: str, error: type[InstarError]
) -> None:
    world.create()
    with pytest.raises(error):
        world.client.plans.make("demo", version)


def test_everything_in_the_way_is_told_at_once(world: World) -> None:
    instance_id = world.create()
    database = world.guests.databases[instance_id]
    database.extensions["shop/postgis"] = "3.4"
    database.settings |= {"work_mem": "4MB", "gone_in_18": "on"}
    use_image(world, extensions={"plpgsql": "1.0"})
    world.guests.obstacles.append(Finding(check="prepared_transactions", seen="Prepared transactions: x"))
    world.client.probes.create("demo", "orders", database="shop", sql="SELECT 1", expected="1")
    world.guests.probe_answers["orders"] = "0"
    with world.house.store.begin() as session:
        session.merge(world.instance(instance_id)).flavor_id = "99"
    volume = world.provider._volumes[f"instar-{instance_id}"]
    volume.info = replace(volume.info, used=900, free=100)
    plan = world.client.plans.make("demo", "18.6", method="copy", snapshot="never", on_failure="rollback")
    assert not plan.allowed
    blocking = found(plan)
    assert set(blocking) == {
        "prepared_transactions",
        "probe",
        "volume",
        "flavor",
        "configuration.gone_in_18",
        "extension",
    }
    assert "postgis" in blocking["extension"]
    assert all(
        finding.remedy for finding in plan.blocking() if not finding.check.startswith(("probe", "prep"))
    )
    assert "let_in" in found(plan, Severity.WARN)["way_back"]
    assert world.instance(instance_id).status == InstanceStatus.ACTIVE


def lose_image(world: World, instance_id: str) -> None:
    world.provider.lose_image(use_image(world))


def another_manager(world: World, instance_id: str) -> None:
    use_image(world, manager="mariadb", recipe="mariadb-11.4")


def silence(world: World, instance_id: str) -> None:
    world.guests.silent.add(instance_id)


def power_cut(world: World, instance_id: str) -> None:
    world.provider.cut_power(f"instar-{instance_id}")


def stop_database(world: World, instance_id: str) -> None:
    world.guests.servers[instance_id].running = False


def no_snapshots(world: World, instance_id: str) -> None:
    world.provider.abilities = replace(world.provider.abilities, snapshots=False)


def no_room(world: World, instance_id: str) -> None:
    world.provider.abilities = replace(world.provider.abilities, instant_snapshots=False)
    volume = world.provider._volumes[f"instar-{instance_id}"]
    volume.info = replace(volume.info, used=500, room=499)


@pytest.mark.parametrize(
    ("obstacle", "check"),
    [
        (no_room, "snapshot"),
        (lose_image, "image"),
        (another_manager, "image"),
        (silence, "agent"),
        (power_cut, "server"),
        (stop_database, "database"),
        (no_snapshots, "snapshot"),
    ],
)
def test_what_the_machine_has_against_it_blocks(
    world: World, monkeypatch: pytest.MonkeyPatch, obstacle: Callable[[World, str], None], check: str
) -> None:
    monkeypatch.setattr(sight, "GRACE", 0.0)
    instance_id = world.create()
    obstacle(world, instance_id)
    plan = world.client.plans.make("demo", "18.6", snapshot="always")
    assert list(found(plan)) == [check]
    operation = world.client.instances.upgrade("demo", "18.6", snapshot="always")
    with pytest.raises(OperationFailed, match="refused before any downtime"):
        world.client.operations.wait(operation)
    assert (instance_id, "pre_upgrade") not in world.guests.calls
    assert world.instance(instance_id).status == InstanceStatus.ACTIVE


def test_a_guest_that_is_away_for_a_moment_is_asked_again(world: World) -> None:
    world.create()
    away = GuestError("The agent restarts", retryable=True)
    world.guests.failing["read_back"] = away

    def back() -> None:
        if len([1 for _, hook in world.guests.calls if hook == "read_back"]) > 1:
            world.guests.failing.pop("read_back", None)

    world.guests.before["read_back"] = back
    assert world.client.plans.make("demo", "18.6").allowed


def test_an_instance_in_error_and_an_open_operation_are_findings(world: World) -> None:
    instance_id = world.create()
    world.guests.failing["post_upgrade"] = GuestError("pg_upgrade refused")
    operation = world.client.instances.upgrade(instance_id, "18.6")
    with pytest.raises(OperationFailed):
        world.client.operations.wait(operation)
    plan = world.client.plans.make("demo", "18.6")
    assert "pg_upgrade refused" in found(plan)["status"]
    assert "resume" in world.client.operations.get(operation).verbs  # type: ignore[arg-type]
    waiting = GuestError("Not yet", retryable=True)
    world.guests.failing["post_upgrade"] = waiting
    world.client.operations.resume(operation)  # type: ignore[arg-type]
    assert operation
    assert operation.id in found(world.client.plans.make("demo", "18.6"))["operation"]
    world.guests.failing.clear()
    world.settle()


def test_values_are_held_against_the_target_catalogue(world: World) -> None:
    instance_id = world.create()
    settings = world.guests.databases[instance_id].settings
    settings |= {"work_mem": "4TB", "jit": "on", "app.mode": "x", "ssl_ecdh_curve": "prime256v1"}
    plan = world.client.plans.make("demo", "18.6")
    assert list(found(plan)) == ["configuration.work_mem"]
    assert {line.name: line.change for line in plan.configuration} == {
        "work_mem": "invalid",
        "jit": "kept",
        "app.mode": "kept",
        "ssl_ecdh_curve": "renamed",
        "effective_io_concurrency": "default changed",
    }
    settings["work_mem"] = "64MB"
    assert world.client.plans.make("demo", "18.6").allowed


def test_the_catalogue_is_that_of_the_image_which_the_version_has_now(world: World) -> None:
    instance_id = world.create()
    world.guests.databases[instance_id].settings["jit"] = "on"
    use_image(world, parameters=[each for each in catalogue("18.6") if each.name != "jit"])
    assert list(found(world.client.plans.make("demo", "18.6"))) == ["configuration.jit"]


def test_an_image_without_a_catalogue_says_that_nothing_was_checked(world: World) -> None:
    instance_id = world.create()
    world.guests.databases[instance_id].settings["work_mem"] = "4TB"
    use_image(world, parameters=[])
    plan = world.client.plans.make("demo", "18.6")
    assert plan.allowed
    assert "not checked" in found(plan, Severity.NOTE)["parameters"]


def test_extensions_that_come_in_another_version_are_noted(world: World) -> None:
    instance_id = world.create()
    world.guests.databases[instance_id].extensions["shop/postgis"] = "3.4"
    use_image(world, extensions={"postgis": "3.6"})
    plan = world.client.plans.make("demo", "18.6")
    assert plan.allowed
    assert found(plan, Severity.NOTE)["extension"] == "shop/postgis is of version 3.4, the image has 3.6"


def test_text_ordering_tells_which_indexes_are_at_risk(world: World) -> None:
    world.create()
    index = IndexAtRisk(database="shop", index="names", table="people", bytes=64 << 20, provider="libc")
    for version, glibc in (("17.10", "2.36"), ("18.6", "2.41")):
        use_image(world, version, glibc=glibc, icu="72")
    world.client.operations.wait(world.client.instances.upgrade("demo", "17.10"))  # onto an image that tells
    world.guests.facts = UpgradeFacts(indexes_at_risk=[index])
    plan = world.client.plans.make("demo", "18.6")
    assert (plan.text_ordering.glibc_before, plan.text_ordering.glibc_after) == ("2.36", "2.41")
    assert plan.text_ordering.indexes == [index]
    assert plan.text_ordering.rebuild_seconds == 4.0
    assert found(plan, Severity.WARN)["text_ordering"] == "glibc changes from 2.36 to 2.41"


# -- the hash -----------------------------------------------------------------------------------------------


def test_the_hash_stays_while_only_what_fluctuates_changes(world: World) -> None:
    instance_id = world.create()
    first = world.client.plans.make("demo", "18.6")
    volume = world.provider._volumes[f"instar-{instance_id}"]
    volume.info = replace(volume.info, used=123456789)
    world.guests.facts = UpgradeFacts(data_bytes=1 << 33, relations=9)
    second = world.client.plans.make("demo", "18.6")
    assert second.hash == first.hash
    assert second.id != first.id


def change_setting(world: World, instance_id: str) -> None:
    world.guests.databases[instance_id].settings["work_mem"] = "8MB"


def change_extension(world: World, instance_id: str) -> None:
    world.guests.databases[instance_id].extensions["shop/hstore"] = "1.8"


def change_probe(world: World, instance_id: str) -> None:
    world.client.probes.create(instance_id, "p", database="shop", sql="SELECT 1", expected="1")


def change_image(world: World, instance_id: str) -> None:
    use_image(world)


def change_abilities(world: World, instance_id: str) -> None:
    world.provider.abilities = replace(world.provider.abilities, snapshots=False)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (change_setting, "configuration.work_mem was absent and is 8MB"),
        (change_extension, "extensions.shop/hstore was absent and is 1.8"),
        (change_probe, "probes.p"),
        (change_image, "image_after"),
        (change_abilities, "snapshot_taken was True and is False"),
    ],
)
def test_an_upgrade_is_held_to_its_plan(
    world: World, change: Callable[[World, str], None], named: str
) -> None:
    instance_id = world.create()
    plan = world.client.plans.make("demo", "18.6")
    change(world, instance_id)
    assert world.client.plans.make("demo", "18.6").hash != plan.hash
    operation = world.client.instances.upgrade("demo", "18.6", plan=plan.hash)
    with pytest.raises(OperationFailed, match="has changed since it was made") as refused:
        world.client.operations.wait(operation)
    assert named in str(refused.value)
    assert world.instance(instance_id).status == InstanceStatus.ACTIVE
    assert (instance_id, "pre_upgrade") not in world.guests.calls


def test_an_upgrade_with_its_plan_takes_the_plans_options(world: World) -> None:
    world.create()
    plan = world.client.plans.make("demo", "18.6", method="copy", snapshot="never", on_failure="rollback")
    operation = world.client.instances.upgrade("demo", "18.6", plan=plan.hash)
    ended = world.client.operations.wait(operation)
    assert ended.state == OperationState.SUCCEEDED
    options = {name: ended.inputs[name] for name in ("method", "snapshot", "on_failure", "plan")}
    assert options == {"method": "copy", "snapshot": "never", "on_failure": "rollback", "plan": plan.hash}
    assert world.provider.calls["snapshot_volume"] == 0


def test_a_plan_that_is_none_of_the_upgrades_is_refused_at_the_door(world: World) -> None:
    world.create()
    plan = world.client.plans.make("demo", "17.11")
    for wrong, named in (
        ({"plan": "0" * 32}, "upgrade_plan"),
        ({"plan": plan.hash}, "17.11"),
    ):
        with pytest.raises(BadRequest, match=named):
            world.client.instances.upgrade("demo", "18.6", **wrong)
    with pytest.raises(BadRequest, match="upgrade_method"):
        world.client.instances.upgrade("demo", "17.11", plan=plan.hash, method="copy")


# -- ways back and forecast ---------------------------------------------------------------------------------


def test_link_without_a_snapshot_has_a_point_of_no_return(world: World) -> None:
    world.create()
    plan = world.client.plans.make("demo", "18.6", snapshot="never")
    assert plan.allowed
    assert plan.point_of_no_return == "post_upgrade"
    ways = {step.name: step.way_back for step in plan.steps}
    assert "snapshot" not in ways
    assert ways["post_upgrade"].startswith("none")
    assert not ways["rebuild"].startswith("none")
    assert plan.undo.startswith("Nothing")
    promised = world.client.plans.make("demo", "18.6", snapshot="never", on_failure="rollback")
    assert "way_back" in found(promised)


def test_a_copied_snapshot_is_taken_for_a_new_format_only_and_tells_its_cost(world: World) -> None:
    instance_id = world.create()
    world.provider.abilities = replace(world.provider.abilities, instant_snapshots=False)
    volume = world.provider._volumes[f"instar-{instance_id}"]
    volume.info = replace(volume.info, used=5 << 20)
    same = world.client.plans.make("demo", "17.11")
    assert (same.snapshot.taken, same.point_of_no_return) == (False, None)
    assert "every write kept" in same.undo
    crossing = world.client.plans.make("demo", "18.6").snapshot
    assert (crossing.taken, crossing.instant, crossing.bytes) == (True, False, 5 << 20)
    assert crossing.seconds is None


def test_the_undo_window_is_the_instances_own(world: World) -> None:
    world.create()
    assert world.client.plans.make("demo", "17.11").undo.startswith("For 24 hours after success")
    world.client.instances._update(world.client.instances.path("demo"), undo_window=0)
    assert world.client.plans.make("demo", "17.11").undo.startswith("Nothing")


def test_a_value_that_may_hold_a_password_is_not_shown(world: World) -> None:
    instance_id = world.create()
    world.guests.databases[instance_id].settings["primary_conninfo"] = "host=a password=s3cret"
    plan = world.client.plans.make("demo", "18.6")
    assert "primary_conninfo" in plan.basis["configuration"]
    assert "s3cret" not in plan.model_dump_json()


def test_plans_go_with_their_instance(world: World) -> None:
    world.create()
    world.client.plans.make("demo", "18.6")
    world.client.operations.wait(world.client.instances.delete("demo"))
    with world.house.store.read() as session:
        assert session.query(PlanRow).count() == 0


def test_what_upgrades_took_becomes_the_forecast_of_their_sort(world: World) -> None:
    for name in ("one", "two"):
        world.create(name)
        world.client.operations.wait(world.client.instances.upgrade(name, "18.6"))
    world.create()
    forecast = world.client.plans.make("demo", "18.6").forecast
    assert forecast.upgrades == 2
    assert forecast.p50 is not None
    assert forecast.p95 is not None
    assert 0 <= forecast.p50 <= forecast.p95
    assert world.client.plans.make("demo", "17.11").forecast.upgrades == 0


def test_an_upgrade_that_waited_for_somebody_is_no_history(world: World) -> None:
    world.create()
    world.guests.failing["post_upgrade"] = GuestError("pg_upgrade refused")
    operation = world.client.instances.upgrade("demo", "18.6")
    with pytest.raises(OperationFailed):
        world.client.operations.wait(operation)
    world.guests.failing.clear()
    world.client.operations.resume(operation)  # type: ignore[arg-type]
    world.client.operations.wait(operation)
    world.create("other")
    assert world.client.plans.make("other", "18.6").forecast.upgrades == 0
