"""Ways back for real: a writer writes throughout, and what was acknowledged to it is found."""

import shutil
from pathlib import Path
from typing import LiteralString

import pytest
from psycopg import sql

from guest_images import Images
from instar.client.errors import NeedsConsent, OperationFailed
from instar.images import store, tree
from instar.wire.rest import Operation
from instar.wire.states import OperationState
from real_control_plane import TIMEOUT, ControlPlane
from real_instance import RealInstance
from waiting import until

pytestmark = pytest.mark.live


def fail(instance: RealInstance, version: str, **options: str) -> Operation:
    """Upgrade, see it fail, and give the operation."""
    client = instance.plane.client
    started = client.instances.upgrade(instance.id, version, **options)
    assert started
    with pytest.raises(OperationFailed):
        client.operations.wait(started, TIMEOUT)
    return client.operations.get(started)


def fail_and_roll_back(instance: RealInstance, version: str, **options: str) -> Operation:
    """Upgrade, see it end in ERROR, and have an operator roll it back."""
    operation, client = fail(instance, version, **options), instance.plane.client
    assert instance.shown.status == "ERROR"
    assert operation.verbs == ["resume", "rollback"]
    client.operations.rollback(operation)
    with pytest.raises(OperationFailed):
        client.operations.wait(operation, TIMEOUT)
    return client.operations.get(operation)


def serves(instance: RealInstance, version: str) -> None:
    """Assert that the instance is at rest, on a version, and that nothing is left of another."""
    shown = instance.shown
    assert (shown.status, instance.version, shown.fault) == ("ACTIVE", version, None)
    assert instance.ask("SHOW server_version") == [version]
    until(instance.is_one_of_each, TIMEOUT)


def snapshots(instance: RealInstance) -> list[Path]:
    return list((instance.volume.parent / "snapshots").iterdir())


def add_probe(instance: RealInstance, expected: str) -> None:
    instance.plane.client.probes.create(
        instance.id,
        "major",
        database="shop",
        sql="SELECT split_part(current_setting('server_version'), '.', 1)",
        expected=expected,
    )


# -- refused before any downtime ----------------------------------------------------------------------------


def test_a_value_that_the_target_refuses_is_found_by_the_plan(instance: RealInstance) -> None:
    """The programs of 18.6 are built without zstd; nothing but their own catalogue of parameters tells."""
    root = instance.plane.client.root.enable(instance.id)
    with instance.connect("root", root.password) as connection:
        connection.execute("ALTER SYSTEM SET wal_compression = 'zstd'")
        connection.execute("SELECT pg_reload_conf()")
    plan = instance.plane.client.plans.make(instance.id, "18.6")
    assert [finding.seen for finding in plan.blocking() if "wal_compression" in finding.seen]
    with instance.written_to() as writer:
        operation = fail(instance, "18.6")
    assert operation.error
    assert "wal_compression" in operation.error.sentence()
    assert (operation.step, operation.downtime_seconds, writer.last_error) == ("preflight", None, "")
    serves(instance, "17.10")


def test_a_probe_that_fails_beforehand_refuses(instance: RealInstance) -> None:
    add_probe(instance, "16")
    with instance.written_to() as writer:
        operation = fail(instance, "18.6")
    assert operation.error
    assert "major" in operation.error.sentence()
    assert (operation.step, writer.last_error) == ("preflight", "")
    serves(instance, "17.10")


# -- back onto the old image --------------------------------------------------------------------------------


def test_a_probe_that_fails_afterwards_leads_back_before_clients_see_the_new_version(
    instance: RealInstance,
) -> None:
    add_probe(instance, "17")
    with instance.written_to():
        operation = fail(instance, "18.6", on_failure="rollback")
    assert operation.error
    assert "major" in operation.error.sentence()
    assert (operation.turned_back_at, operation.came_back) == ("post_upgrade", True)
    serves(instance, "17.10")
    assert snapshots(instance) == []


def test_an_image_whose_agent_never_answers_leads_back(
    plane: ControlPlane, images: Images, instance: RealInstance, tmp_path: Path
) -> None:
    plane.use_image("17.10", with_broken_agent(plane, images, tmp_path))
    client = plane.client
    with instance.written_to():
        started = client.instances.upgrade(instance.id, "17.10", on_failure="rollback")
        assert started
        until(lambda: is_at(plane, started, "await_agent"), TIMEOUT)
        client.operations.abort(started)
        with pytest.raises(OperationFailed, match="aborted"):
            client.operations.wait(started, TIMEOUT)
    assert client.operations.get(started).turned_back_at == "await_agent"
    serves(instance, "17.10")


def is_at(plane: ControlPlane, operation: Operation, step: str) -> bool:
    now = plane.client.operations.get(operation)
    assert now.state == OperationState.OPEN, now.error
    return now.step == step


def with_broken_agent(plane: ControlPlane, images: Images, tmp: Path) -> str:
    """Make an image whose agent ends as soon as it starts; gives its digest."""
    root = tmp / "broken"
    shutil.copytree(store.path_of(images.image_dir, images.old.digest) / "tree", root, symlinks=True)
    program = next(root.glob("**/instar/agent/__main__.py"))
    program.chmod(0o644)
    program.write_text("raise SystemExit('no agent today')\n")
    changes = {"digest": tree.digest(root), "recipe": "postgresql-17.10-without-agent"}
    manifest = images.old.model_copy(update=changes)
    store.keep(plane.home / "images", root, manifest, [])
    return manifest.digest


@pytest.mark.parametrize("on_failure", ["error", "rollback"])
def test_data_that_pg_upgrade_refuses_come_back_untouched(instance: RealInstance, on_failure: str) -> None:
    """The library is built for 17, and pg_upgrade finds out only with both servers at hand."""
    root = instance.plane.client.root.enable(instance.id)
    library = instance.volume / "old.so"
    shutil.copyfile(instance.server / "root/usr/lib/postgresql/17/lib/pg_trgm.so", library)
    library.chmod(0o755)
    with instance.connect("root", root.password) as connection:
        statement = sql.SQL("CREATE FUNCTION old(text) RETURNS text[] LANGUAGE c AS {}, 'show_trgm'")
        connection.execute(statement.format(sql.Literal(str(library))))
    with instance.written_to():
        if on_failure == "rollback":
            operation = fail(instance, "18.6", on_failure=on_failure)
        else:
            operation = fail_and_roll_back(instance, "18.6", snapshot="never")
    assert operation.error
    assert "old.so" in operation.error.sentence()
    assert (operation.turned_back_at, operation.came_back) == ("post_upgrade", True)
    serves(instance, "17.10")
    assert snapshots(instance) == []


# -- undo ---------------------------------------------------------------------------------------------------


def undo(instance: RealInstance, discard_writes_since: str | None = None) -> None:
    plane = instance.plane
    plane.wait(plane.client.instances.rollback(instance.id, discard_writes_since=discard_writes_since))


def test_the_same_version_is_undone_with_every_write_kept(
    plane: ControlPlane, images: Images, instance: RealInstance
) -> None:
    before = instance.shown.image
    plane.use_image("17.10", images.new_agent.digest)
    with instance.written_to():
        instance.upgrade("17.10")
        assert instance.shown.image != before
        undo(instance)
    assert instance.shown.image == before
    serves(instance, "17.10")


def test_a_major_upgrade_is_undone_back_to_its_snapshot(instance: RealInstance) -> None:
    rows: LiteralString = "SELECT n FROM kept ORDER BY n"
    with instance.connect() as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS n")
    with instance.written_to():
        instance.upgrade("18.6")
    with instance.connect() as connection:
        connection.execute("INSERT INTO kept VALUES (2)")
    assert instance.ask(rows) == [1, 2]
    with pytest.raises(NeedsConsent, match="seconds of writes would be lost") as refused:
        undo(instance)
    kept = instance.shown.undo
    assert kept
    assert kept.loses_writes_since
    assert kept.loses_writes_since in refused.value.body.sentence()
    serves(instance, "18.6")
    undo(instance, kept.loses_writes_since)
    serves(instance, "17.10")
    assert instance.ask(rows) == [1]
    assert snapshots(instance) == []
    assert not (instance.volume / "postgresql/18").exists()
