"""Real parts are killed and frozen in each step of each story; nothing is lost and nothing is left."""

from collections.abc import Iterator
from typing import Any

import pytest
from real_cells import RealCell, interleaved, marked, strike
from real_tales import TALES, Stage
from striking_plane import AGENT, DATABASE, FAULTS, FROZEN_WORKER, KILLED_WORKER, SERVER, striking_plane

from guest_images import Images
from instar.wire.states import OperationState
from real_engines import LOCAL_POSTGRESQL
from record_stores import empty_database

pytestmark = pytest.mark.live

REPRESENTATIVE = {
    ("create", "prepare", "", KILLED_WORKER),
    ("create", "await_agent", "entry", SERVER),
    ("upgrade, same release", "rebuild", "entry", KILLED_WORKER),
    ("undo, same release", "come_back", "entry", FROZEN_WORKER),
    ("upgrade, major", "pre_upgrade", "", KILLED_WORKER),
    ("undo, major", "revert", "entry", KILLED_WORKER),
    ("upgrade, major", "post_upgrade", "pg_upgrade", SERVER),
    ("upgrade, major", "post_upgrade", "pg_upgrade", FROZEN_WORKER),
    ("upgrade, major", "verify", "entry", DATABASE),
    ("upgrade that fails and goes back", "come_back", "", AGENT),
    ("rollback of a failed upgrade", "return_image", "entry", KILLED_WORKER),
    ("abort after the rebuild", "power_off", "entry", FROZEN_WORKER),
    ("restart", "restart", "", DATABASE),
    ("delete", "volume", "entry", KILLED_WORKER),
}
CELLS = interleaved(LOCAL_POSTGRESQL)


@pytest.fixture(scope="module")
def stage(images: Images, postgresql_server: Any) -> Iterator[Stage]:
    with empty_database(postgresql_server) as url, striking_plane(images, url) as plane:
        yield Stage(plane, images)


@pytest.mark.parametrize("cell", marked(CELLS, REPRESENTATIVE))
def test_a_real_fault(stage: Stage, cell: RealCell) -> None:
    strike(stage, cell, "real")


def test_every_step_of_every_story_has_its_cells() -> None:
    struck = {(cell.tale.kind, cell.step, cell.fault) for cell in CELLS}
    for tale in TALES:
        assert {(tale.kind, step, fault) for step in tale.steps for fault in FAULTS} <= struck
    assert OperationState.SUCCEEDED in {tale.state for tale in TALES}
