"""`kill -9` of the control plane in the middle of an upgrade: started again, it finishes by itself."""

import sqlite3
from contextlib import closing

import pytest

from instar.control.operations.upgrade import STORY
from instar.wire.rest import Operation
from real_control_plane import TIMEOUT, ControlPlane
from real_instance import RealInstance
from waiting import until

pytestmark = pytest.mark.live
STEPS = [step.name for step in STORY.steps]


def kill_when_the_cursor_reaches(plane: ControlPlane, operation: Operation, step: str) -> str:
    """Kill every program as soon as an open operation stands at a step, or beyond; gives where it stood."""
    query = "SELECT state, cursor FROM operations WHERE id = ?"
    with closing(sqlite3.connect(f"file:{plane.home}/instar.db?mode=ro", uri=True)) as records:

        def reached() -> bool:
            state, cursor = records.execute(query, (operation.id,)).fetchone()
            assert state == "OPEN", f"the upgrade was over before it was seen at {step}"
            return STEPS.index(cursor) >= STEPS.index(step)

        while not reached():
            pass
        plane.kill_all()
        return str(records.execute(query, (operation.id,)).fetchone()[1])


def upgrade_through_a_kill(instance: RealInstance, version: str, step: str) -> None:
    plane = instance.plane
    with instance.written_to():
        operation = plane.client.instances.upgrade(instance.id, version)
        assert operation
        kill_when_the_cursor_reaches(plane, operation, step)
        plane.start()
        plane.wait(operation)
    until(instance.is_one_of_each, TIMEOUT)
    assert (instance.shown.status, instance.version) == ("ACTIVE", version)
    assert instance.ask("SHOW server_version") == [version]


@pytest.mark.parametrize("step", ["pre_upgrade", "rebuild", "await_agent", "post_upgrade", "verify"])
def test_an_upgrade_to_the_same_version_is_finished(
    plane: ControlPlane, lasting_instance: RealInstance, step: str
) -> None:
    upgrade_through_a_kill(lasting_instance, "17.10", step)


@pytest.mark.parametrize("step", ["pre_upgrade", "post_upgrade"])
def test_a_major_upgrade_is_finished(instance: RealInstance, step: str) -> None:
    upgrade_through_a_kill(instance, "18.6", step)
