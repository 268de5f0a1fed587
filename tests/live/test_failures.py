"""Upgrades that fail for real: where each leaves the instance, and the way on."""

import os
import re
import shutil
import subprocess

import pytest
from psycopg import sql

from instar.client.errors import OperationFailed
from instar.wire.rest import Operation
from instar.wire.states import OperationState, StepState
from real_control_plane import TIMEOUT, ControlPlane
from real_instance import DATABASE, RealInstance

pytestmark = pytest.mark.live


def fail_to_upgrade(instance: RealInstance, version: str) -> Operation:
    """Ask for an upgrade and give the failed operation."""
    operations = instance.plane.client.operations
    started = instance.plane.client.instances.upgrade(instance.id, version)
    assert started
    with pytest.raises(OperationFailed):
        operations.wait(started, TIMEOUT)
    return operations.get(started)


def failed_step(operation: Operation) -> str:
    return next(step.name for step in operation.steps or [] if step.state == StepState.FAILED)


def test_what_preflight_sees_is_refused_before_any_downtime(instance: RealInstance) -> None:
    root = instance.plane.client.root.enable(instance.id)
    with instance.connect("root", root.password) as connection:
        connection.execute("CREATE DATABASE shut ALLOW_CONNECTIONS false")
    before = instance.postmasters()
    with instance.written_to() as writer:
        operation = fail_to_upgrade(instance, "18.6")
    assert failed_step(operation) == "preflight"
    assert operation.error
    assert [(each.check, each.seen) for each in operation.error.findings] == [
        ("closed_databases", "Databases that allow no connections: shut")
    ]
    assert operation.downtime_seconds is None
    assert writer.last_error == ""
    assert instance.postmasters() == before
    assert (instance.shown.status, instance.version) == ("ACTIVE", "17.10")


def test_when_pre_upgrade_fails_the_old_database_serves(instance: RealInstance) -> None:
    obstacle = instance.volume / "instar/saved.tmp"
    obstacle.mkdir(parents=True)
    (obstacle / "file").touch()
    shutil.chown(obstacle, instance.volume.stat().st_uid)
    obstacle.chmod(0o555)
    with instance.written_to():
        operation = fail_to_upgrade(instance, "18.6")
    assert failed_step(operation) == "pre_upgrade"
    assert operation.error
    assert "saved.tmp" in operation.error.sentence()
    assert (instance.shown.status, instance.version) == ("ACTIVE", "17.10")
    assert instance.shown.operating_status == "HEALTHY"
    assert instance.ask("SHOW server_version") == ["17.10"]

    obstacle.chmod(0o755)
    with instance.written_to():
        instance.upgrade("18.6")
    assert instance.ask("SHOW server_version") == ["18.6"]


def test_when_pg_upgrade_refuses_the_data_the_operator_mends_them_and_resumes(
    plane: ControlPlane, instance: RealInstance
) -> None:
    root = instance.plane.client.root.enable(instance.id)
    library = instance.volume / "fragile.so"
    shutil.copyfile(instance.server / "root/usr/lib/postgresql/17/lib/pg_trgm.so", library)
    library.chmod(0o755)
    with instance.connect("root", root.password) as connection:
        statement = sql.SQL("CREATE FUNCTION fragile(text) RETURNS text[] LANGUAGE c AS {}, 'show_trgm'")
        connection.execute(statement.format(sql.Literal(str(library))))
    with instance.written_to():
        operation = fail_to_upgrade(instance, "18.6")
        assert failed_step(operation) == "post_upgrade"
        shown = instance.shown
        assert (shown.status, instance.version) == ("ERROR", "17.10")
        assert shown.fault
        assert "fragile" in f"{shown.fault.message} {shown.fault.details}"
        assert plane.client.operations.get(operation).verbs == ["resume", "rollback"]
        single_user(instance, "DROP FUNCTION fragile(text)")
        done = plane.command("operation", "resume", operation.id, "--wait")
        assert done.status == 0, done.err
    assert (instance.shown.status, instance.version, instance.shown.fault) == ("ACTIVE", "18.6", None)
    assert instance.ask("SHOW server_version") == ["18.6"]


def single_user(instance: RealInstance, statement: str) -> None:
    """Change the stopped database of the old version, with the programs that the new image has of it."""
    owner = instance.volume.stat().st_uid
    other = {"user": owner, "group": owner, "extra_groups": []} if owner != os.geteuid() else {}
    named = ["unshare", "--user", "--map-user=65534", "--map-group=65534"] if other else []
    postgres = instance.server / "root/usr/lib/postgresql/17/bin/postgres"
    subprocess.run(
        [*named, postgres, "--single", "-D", "postgresql/17", DATABASE],
        input=f"{statement}\n",
        cwd=instance.volume,
        text=True,
        check=True,
        **other,
    )


def test_when_the_new_version_refuses_a_library_the_operator_takes_it_out_and_resumes(
    plane: ControlPlane, instance: RealInstance
) -> None:
    """The library is built for 17: nothing but the start of 18 can tell."""
    library = instance.volume / "audit.so"
    shutil.copyfile(instance.server / "root/usr/lib/postgresql/17/lib/auto_explain.so", library)
    library.chmod(0o755)
    instance.configure(f"shared_preload_libraries = '{library}'")
    operation = fail_to_upgrade(instance, "18.6")
    assert operation.error
    assert "audit.so" in operation.error.sentence()
    saved = instance.volume / "instar/saved/instar.conf"
    saved.write_text(re.sub("shared_preload_libraries.*", "", saved.read_text()))
    done = plane.command("operation", "resume", operation.id, "--wait")
    assert done.status == 0, done.err
    assert instance.ask("SHOW server_version") == ["18.6"]


def test_when_the_database_refuses_a_setting_the_operator_mends_it_and_resumes(
    plane: ControlPlane, instance: RealInstance
) -> None:
    """A setting that was written and never loaded: the next start, that of the new image, trips over it."""
    configured = instance.volume / "postgresql/17/instar.conf"
    with configured.open("a") as file:
        file.write("work_mem = 'plenty'\n")
    with instance.written_to():
        operation = fail_to_upgrade(instance, "17.10")
        assert failed_step(operation) == "post_upgrade"
        shown = instance.shown
        assert shown.fault
        assert "work_mem" in shown.fault.message
        configured.write_text(configured.read_text().replace("plenty", "5MB"))
        done = plane.command("operation", "resume", operation.id, "--wait")
        assert done.status == 0, done.err
    assert instance.ask("SHOW work_mem") == ["5MB"]
    assert plane.client.operations.get(operation).state == OperationState.SUCCEEDED
