"""A delete leaves nothing of the instance on the machine."""

import psutil
import pytest

from real_control_plane import ControlPlane
from real_instance import RealInstance, is_alive

pytestmark = pytest.mark.live


def test_delete_leaves_nothing(plane: ControlPlane, instance: RealInstance) -> None:
    processes, uid = instance.processes(), instance.volume.stat().st_uid
    address, places = instance.address, (instance.server, instance.volume)
    assert len(processes) > 3
    done = plane.command("delete", instance.id, "--yes", "--wait")
    assert done.status == 0, done.err
    assert [each for each in processes if is_alive(each)] == []
    assert [place for place in places if place.exists()] == []
    assert address not in (plane.home / "local/ports.json").read_text()
    assert not [
        path for path in plane.home.rglob("*") if path.lstat().st_uid == uid != plane.home.stat().st_uid
    ]
    assert not [each for each in psutil.process_iter() if each.uids().real == uid != plane.home.stat().st_uid]
