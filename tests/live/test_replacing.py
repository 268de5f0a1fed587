"""Upgrades by another server that takes over: a writer writes throughout, and nothing of its is lost."""

import psutil
import pytest

from guest_images import Images
from instar.client.errors import OperationFailed
from instar.wire.states import OperationState
from real_control_plane import TIMEOUT, ControlPlane
from real_instance import RealInstance, is_alive
from waiting import until

pytestmark = pytest.mark.live


def replace(instance: RealInstance, version: str) -> list[psutil.Process]:
    """Upgrade while a client writes; gives the processes that there were before."""
    before = instance.guest_processes()
    with instance.written_to():
        instance.upgrade(version, strategy="replace")
    return before


def serves(instance: RealInstance, version: str, *, servers: int) -> None:
    """Assert that the instance is at rest, on a version, at one server, with so many kept in all."""
    shown = instance.shown
    assert (shown.status, instance.version, shown.fault) == ("ACTIVE", version, None)
    assert instance.ask("SHOW server_version") == [version]
    until(instance.is_one_of_each, TIMEOUT)
    assert len(instance.servers) == servers


@pytest.mark.parametrize("case", ["same release", "major"])
def test_another_server_takes_over_and_gives_back(
    plane: ControlPlane, instance: RealInstance, images: Images, case: str
) -> None:
    version, manifest = {"same release": ("17.10", images.new_agent), "major": ("18.6", images.new)}[case]
    plane.use_image(version, manifest.digest)
    shown, first = instance.shown, instance.server
    old = replace(instance, version)
    serves(instance, version, servers=2)
    info = instance.agent.info()
    assert (info.image_digest, info.standby) == (manifest.digest, False)
    assert instance.server != first
    assert [each for each in old if is_alive(each)] == []
    assert (instance.shown.ip, instance.shown.volume_id) == (shown.ip, shown.volume_id)

    plane.wait(plane.client.instances.reboot(instance.id))
    serves(instance, version, servers=2)

    undo = instance.shown.undo
    assert undo
    plane.wait(plane.client.instances.rollback(instance.id, discard_writes_since=undo.loses_writes_since))
    serves(instance, "17.10", servers=1)
    assert (instance.server, instance.agent.info().image_digest) == (first, images.old.digest)
    with instance.written_to():
        pass


@pytest.mark.parametrize("step", ["standby", "pre_upgrade", "hand_over", "post_upgrade"])
def test_a_control_plane_that_is_killed_meanwhile_loses_nothing(
    plane: ControlPlane, instance: RealInstance, step: str
) -> None:
    client = plane.client
    with instance.written_to():
        started = client.instances.upgrade(instance.id, "18.6", strategy="replace")
        assert started
        until(lambda: step in [each.name for each in client.operations.get(started).steps or []], TIMEOUT)
        plane.kill_all()
        plane.start()
        plane.wait(started)
    serves(instance, "18.6", servers=2)


def test_one_upgrade_after_another_keeps_one_old_server(
    plane: ControlPlane, instance: RealInstance, images: Images
) -> None:
    replace(instance, "17.10")
    replace(instance, "18.6")
    serves(instance, "18.6", servers=2)
    plane.wait(plane.client.instances.restart(instance.id))
    places = instance.servers
    plane.wait(plane.client.instances.delete(instance.id))
    assert [place for place in places if place.exists()] == []


def test_an_aborted_one_leaves_the_old_server_as_it_was(plane: ControlPlane, instance: RealInstance) -> None:
    client, first = plane.client, instance.server
    with instance.written_to():
        started = client.instances.upgrade(instance.id, "18.6", strategy="replace")
        assert started
        until(lambda: client.operations.get(started).step in ("standby", "pre_upgrade"), TIMEOUT)
        client.operations.abort(started)
        with pytest.raises(OperationFailed):
            client.operations.wait(started, TIMEOUT)
    assert client.operations.get(started).state == OperationState.FAILED
    serves(instance, "17.10", servers=1)
    assert instance.server == first
