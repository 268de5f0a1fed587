"""`kill -9` in the middle of an upgrade, of any part or of everything: the upgrade is finished."""

import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest

from instar.control.operations.upgrade import STORY
from instar.wire.rest import Operation
from real_control_plane import TIMEOUT, ControlPlane
from real_instance import RealInstance
from waiting import until

pytestmark = pytest.mark.live
STEPS = [step.name for step in STORY.steps]


def wait_for_cursor(plane: ControlPlane, operation: Operation, step: str) -> None:
    """Wait until an open operation stands at a step, or beyond: steps may be over within milliseconds."""
    query = "SELECT state, cursor FROM operations WHERE id = ?"
    with closing(sqlite3.connect(f"file:{plane.home}/instar.db?mode=ro", uri=True)) as records:

        def is_reached() -> bool:
            state, cursor = records.execute(query, (operation.id,)).fetchone()
            assert state == "OPEN", f"the upgrade was over before it was seen at {step}"
            return STEPS.index(cursor) >= STEPS.index(step)

        while not is_reached():
            pass


def upgrade_through(instance: RealInstance, version: str, step: str, blow: Callable[[], None]) -> None:
    """Upgrade, strike when the cursor reaches a step, and see the upgrade finished by itself."""
    plane = instance.plane
    with instance.written_to():
        operation = plane.client.instances.upgrade(instance.id, version)
        assert operation
        wait_for_cursor(plane, operation, step)
        blow()
        plane.ensure_running()
        plane.wait(operation)
    until(instance.is_one_of_each, TIMEOUT)
    assert (instance.shown.status, instance.version) == ("ACTIVE", version)
    assert instance.ask("SHOW server_version") == [version]


@pytest.mark.parametrize("step", ["pre_upgrade", "rebuild", "await_agent", "post_upgrade", "verify"])
def test_an_upgrade_to_the_same_version_is_finished(
    plane: ControlPlane, lasting_instance: RealInstance, step: str
) -> None:
    upgrade_through(lasting_instance, "17.10", step, plane.kill_all)


@pytest.mark.parametrize("step", ["pre_upgrade", "post_upgrade"])
def test_a_major_upgrade_is_finished(plane: ControlPlane, instance: RealInstance, step: str) -> None:
    upgrade_through(instance, "18.6", step, plane.kill_all)


def test_a_major_upgrade_is_finished_when_its_agent_is_killed(instance: RealInstance) -> None:
    def kill_agents() -> None:
        for agent in until(instance.agents, TIMEOUT):
            agent.kill()

    upgrade_through(instance, "18.6", "post_upgrade", kill_agents)


def test_a_major_upgrade_is_finished_after_a_power_cut(plane: ControlPlane, instance: RealInstance) -> None:
    def cut_power() -> None:
        plane.kill_all()
        instance.cut_power()

    upgrade_through(instance, "18.6", "post_upgrade", cut_power)
