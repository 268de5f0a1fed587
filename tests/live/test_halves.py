"""The API and two workers as programs of their own, on one PostgreSQL record store."""

import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

import real_control_plane
from guest_images import Images
from real_control_plane import TIMEOUT, ControlPlane
from real_instance import RealInstance
from waiting import until

pytestmark = pytest.mark.live


@pytest.fixture
def records(postgresql_server: tuple[Any, str]) -> Iterator[str]:
    """The URL of an empty record store on PostgreSQL."""
    connect, url = postgresql_server
    name = f"live{uuid.uuid4().hex}"
    with connect() as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield url.format(name)
    with connect() as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def halves(images: Images, records: str) -> Iterator[ControlPlane]:
    """`instar api` and two `instar worker`."""
    with real_control_plane.installed(images, "worker", "api", "worker", store_url=records) as plane:
        yield plane


def owner(plane: ControlPlane, records: str, operation_id: str) -> int | None:
    """Tell the process id of the worker that has an operation now."""
    with psycopg.connect(records.replace("+psycopg", "")) as connection:
        query = "SELECT owner FROM operations WHERE id = %s AND lease_until IS NOT NULL"
        row = connection.execute(query, (operation_id,)).fetchone()
    return next((each.pid for each in plane.running if row and f":{each.pid}" in row[0]), None)


def test_an_upgrade_goes_on_when_its_worker_is_killed(halves: ControlPlane, records: str) -> None:
    instance = RealInstance.create(halves)
    with instance.written_to():
        operation = halves.client.instances.upgrade(instance.id, "18.6")
        assert operation
        until(lambda: (halves.client.operations.get(operation).step or "") == "post_upgrade", TIMEOUT)
        pid = until(lambda: owner(halves, records, operation.id), TIMEOUT)
        halves.kill(next(each for each in halves.running if each.pid == pid))
        halves.wait(operation)
    assert (instance.shown.status, instance.version) == ("ACTIVE", "18.6")
    assert instance.ask("SHOW server_version") == ["18.6"]
    until(instance.is_one_of_each, TIMEOUT)
