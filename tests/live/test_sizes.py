"""Reboots and other sizes of a real server: what was acknowledged stays, and the database fits its server."""

import pytest

from real_instance import RealInstance, is_alive
from waiting import until

pytestmark = pytest.mark.live


def test_a_reboot_and_other_sizes_keep_what_was_written(instance: RealInstance) -> None:
    client, wait = instance.plane.client.instances, instance.plane.wait
    before, address = instance.guest_processes(), instance.address
    with instance.written_to():
        wait(client.reboot(instance.id))
        assert [each for each in before if is_alive(each)] == []
        assert instance.ask("SHOW shared_buffers") == ["256MB"]
        wait(client.resize(instance.id, "2"))
        assert instance.ask("SHOW shared_buffers") == ["512MB"]
        wait(client.resize_volume(instance.id, 2))
    shown = instance.shown
    assert (shown.status, shown.flavor["id"], (shown.volume or {})["size"]) == ("ACTIVE", "2", 2)
    assert instance.address == address
    until(instance.is_one_of_each)  # a backend that is being forked looks like its server


def test_a_stopped_database_is_down_until_a_restart(instance: RealInstance) -> None:
    client, wait = instance.plane.client.instances, instance.plane.wait
    wait(client.stop(instance.id))
    assert instance.postmasters() == []
    wait(client.restart(instance.id))
    until(instance.is_one_of_each)  # a backend that is being forked looks like its server
