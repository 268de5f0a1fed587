"""Processes die at rest: the instance comes back by itself, with all that was acknowledged."""

import pytest

from real_control_plane import TIMEOUT, ControlPlane
from real_instance import RealInstance
from waiting import until

pytestmark = pytest.mark.live


@pytest.mark.parametrize("which", ["agents", "postmasters"])
def test_a_killed_process_comes_back_by_itself(lasting_instance: RealInstance, which: str) -> None:
    instance = lasting_instance
    with instance.written_to():
        (killed,) = getattr(instance, which)()
        killed.kill()
        until(lambda: getattr(instance, which)() not in ([], [killed]), TIMEOUT)
        until(instance.is_one_of_each, TIMEOUT)
        until(instance.is_healthy, TIMEOUT)


def test_after_a_power_cut_the_instance_serves_again(
    plane: ControlPlane, lasting_instance: RealInstance
) -> None:
    instance = lasting_instance
    with instance.written_to():
        plane.kill_all()
        instance.cut_power()
        plane.start()
        until(instance.is_one_of_each, TIMEOUT)
    assert (instance.shown.status, instance.version) == ("ACTIVE", "17.10")


def test_a_killed_control_plane_does_not_touch_its_instances(
    plane: ControlPlane, lasting_instance: RealInstance
) -> None:
    instance = lasting_instance
    before = instance.guest_processes()
    with instance.written_to() as writer:
        plane.kill_all()
        plane.start()
        writer.wait_for(20)
    assert writer.last_error == ""
    assert {*instance.agents(), *instance.postmasters()} <= {*before}
