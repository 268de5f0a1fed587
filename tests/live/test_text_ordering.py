"""The same PostgreSQL on two Debian releases, whose C libraries sort Latvian otherwise."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from access import tell
from container_fixtures import POSTGRESQL, SystemImages
from instar.client.errors import Busy, NotFound, OperationFailed
from instar.wire.rest import Operation
from real_control_plane import TIMEOUT, ControlPlane
from real_instance import RealInstance

pytestmark = pytest.mark.live

SORTED = json.loads(Path(__file__).parents[1].joinpath("fixtures/text_orderings.json").read_text("utf-8"))[
    "sorted"
]["lv_LV.UTF-8"]
TOWNS = SORTED["2.36"]
STREETS = 500
ALL = STREETS * len(TOWNS)
FOUND = """
    SELECT count(*) FROM unnest(string_to_array('{}', ',')) AS town, generate_series(1, {}) AS street
    WHERE EXISTS (SELECT FROM places WHERE name = town || ' ' || md5(street::text))
""".format(",".join(TOWNS), STREETS)
AGAIN = """
    INSERT INTO places SELECT town || ' ' || md5(street::text)
    FROM unnest(string_to_array('{}', ',')) AS town, generate_series(1, {}) AS street
    ON CONFLICT DO NOTHING
""".format(",".join(TOWNS), STREETS)
DOUBLE = 'SELECT count(*) - count(DISTINCT name COLLATE "C") FROM places'


@pytest.fixture
def latvia(container_plane: ControlPlane, system_images: SystemImages) -> Iterator[RealInstance]:
    """An instance on Debian 12, with names of places that must be unique."""
    version = system_images.bookworm.version_name
    instance = RealInstance.create(container_plane, version, engine=POSTGRESQL)
    tell(
        instance.access(),
        "CREATE COLLATION latvian (provider = libc, locale = 'lv_LV.UTF-8')",
        "CREATE TABLE places (name text COLLATE latvian CONSTRAINT one UNIQUE)",
        AGAIN,
    )
    yield instance
    container_plane.ensure_running()
    with suppress(Busy, NotFound):
        container_plane.client.instances.delete(instance.id)


def found(instance: RealInstance) -> int:
    """Count the places that the index finds."""
    with psycopg.connect(instance.conninfo(), autocommit=True) as client:
        for way in ("seqscan", "bitmapscan", "hashjoin", "mergejoin"):
            client.execute(f"SET enable_{way} = off".encode())
        row = client.execute(FOUND.encode()).fetchone()
    assert row is not None
    return int(row[0])


def order(instance: RealInstance) -> list[str]:
    """Have the database sort the towns."""
    towns = ",".join(sorted(TOWNS))
    return instance.ask(
        f"SELECT town FROM unnest(string_to_array('{towns}', ',')) AS town ORDER BY town COLLATE latvian"
    )


def move(instance: RealInstance, version: str, **options: str) -> Operation:
    """Upgrade, and give the operation."""
    client = instance.plane.client
    started = client.instances.upgrade(instance.id, version, **options)
    return client.operations.wait(started, TIMEOUT)


def test_the_plan_names_the_index_and_block_refuses(
    latvia: RealInstance, system_images: SystemImages
) -> None:
    client, target = latvia.plane.client, system_images.trixie.version_name
    plan = client.plans.make(latvia.id, target, text_ordering="block")
    assert [each.index for each in plan.text_ordering.indexes] == ["public.one"]
    assert [each.check for each in plan.blocking()] == ["text_ordering"]
    with latvia.written_to(), pytest.raises(OperationFailed, match="text"):
        move(latvia, target, text_ordering="block")
    assert found(latvia) == ALL


def test_without_the_guard_rows_are_not_found_and_come_in_twice(
    latvia: RealInstance, system_images: SystemImages
) -> None:
    assert (order(latvia), found(latvia)) == (SORTED["2.36"], ALL)
    operation = move(latvia, system_images.trixie.version_name, text_ordering="warn")
    assert any("public.one" in each.seen for each in operation.findings)
    assert order(latvia) == SORTED["2.41"]
    assert found(latvia) < ALL
    tell(latvia.access(), AGAIN)
    assert latvia.ask(DOUBLE)[0] > 0


def test_with_the_guard_every_row_is_found_and_none_comes_in_twice_there_and_back(
    latvia: RealInstance, system_images: SystemImages
) -> None:
    with latvia.written_to():
        operation = move(latvia, system_images.trixie.version_name)
    assert operation.text_ordering
    assert operation.text_ordering["indexes"] == ["shop: public.one on public.places"]
    assert operation.findings == []
    assert (order(latvia), found(latvia)) == (SORTED["2.41"], ALL)
    tell(latvia.access(), AGAIN)
    assert latvia.ask(DOUBLE) == [0]
    stale = "SELECT count(*) FROM pg_collation WHERE collversion <> pg_collation_actual_version(oid)"
    assert latvia.ask(stale) == [0]
    latvia.plane.wait(latvia.plane.client.instances.rollback(latvia.id))
    assert (order(latvia), found(latvia)) == (SORTED["2.36"], ALL)
    assert latvia.ask(DOUBLE) == [0]
    assert latvia.ask(stale) == [0]
