"""A delete leaves nothing of the instance on the machine."""

import os
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from real_control_plane import TIMEOUT, ControlPlane
from real_instance import RealInstance, is_alive
from waiting import until

pytestmark = pytest.mark.live


def owned_by(uid: int, directory: Path) -> list[str]:
    """List what lies below a directory and belongs to a user, while it may be going."""
    found = []
    for folder, _, names in os.walk(directory):
        for path in (Path(folder, name) for name in names):
            with suppress(FileNotFoundError):
                found += [str(path)] if path.lstat().st_uid == uid else []
    return found


def test_delete_leaves_nothing(plane: ControlPlane, instance: RealInstance) -> None:
    processes, uid = instance.processes(), instance.volume.stat().st_uid
    address, places = instance.address, (instance.server, instance.volume)
    assert len(processes) > 3
    done = plane.command("delete", instance.id, "--yes", "--wait")
    assert done.status == 0, done.err
    assert [each for each in processes if is_alive(each)] == []
    assert [place for place in places if place.exists()] == []
    assert address not in (plane.home / "local/ports.json").read_text()
    if uid != plane.home.stat().st_uid:
        until(lambda: owned_by(uid, plane.home) == [], TIMEOUT)  # what is deleted goes in the background
    assert not [each for each in psutil.process_iter() if each.uids().real == uid != plane.home.stat().st_uid]
