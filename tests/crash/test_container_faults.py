"""As `test_real_faults`, with whole systems in containers: MariaDB 10.11 on Debian 12, 11.8 on Debian 13."""

from collections.abc import Iterator
from typing import Any

import pytest
from real_cells import RealCell, interleaved, marked, strike
from real_tales import Stage
from striking_plane import AGENT, DATABASE, FROZEN_WORKER, KILLED_WORKER, SERVER, striking_plane

from guest_images import Images
from real_engines import MARIADB
from record_stores import empty_database

pytestmark = pytest.mark.live

SYSTEM_TABLES = "bringing system tables up to date"
REPRESENTATIVE = {
    ("create", "prepare", "", KILLED_WORKER),
    ("upgrade, same release", "rebuild", "entry", KILLED_WORKER),
    ("upgrade, major", "pre_upgrade", "", AGENT),
    ("upgrade, major", "rebuild", "entry", FROZEN_WORKER),
    ("upgrade, major", "post_upgrade", "", SERVER),
    ("upgrade, major", "post_upgrade", SYSTEM_TABLES, DATABASE),
    ("undo, major", "revert", "entry", KILLED_WORKER),
    ("upgrade that fails and goes back", "come_back", "", AGENT),
    ("abort after the rebuild", "power_off", "entry", FROZEN_WORKER),
    ("delete", "server", "entry", KILLED_WORKER),
}
CELLS = interleaved(MARIADB)


@pytest.fixture(scope="module")
def stage(mariadb_images: Images, postgresql_server: Any) -> Iterator[Stage]:
    with empty_database(postgresql_server) as url, striking_plane(mariadb_images, url) as plane:
        yield Stage(plane, mariadb_images)


@pytest.mark.parametrize("cell", marked(CELLS, REPRESENTATIVE))
def test_a_fault_with_containers(stage: Stage, cell: RealCell) -> None:
    strike(stage, cell, "containers")
