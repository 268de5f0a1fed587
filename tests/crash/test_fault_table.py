"""The fault table of the documentation has a line for every step of every story, and none tells of a loss."""

import csv
from pathlib import Path

import pytest
from fault_table import DOCS, NOT_RUN, TABLES
from life_stories import TALES as TALES_OF_FAKES
from real_tales import TALES

REAL, CONTAINERS, POINTS = (DOCS / TABLES[where] for where in ("real", "containers", "fake"))


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("table", [REAL, CONTAINERS])
def test_every_step_of_every_story_is_in_the_table(table: Path) -> None:
    told = {(line["Story"], line["Step"].partition(":")[0]) for line in lines(table)}
    assert told >= {(tale.name, step) for tale in TALES for step in tale.steps}


def test_every_story_was_struck_at_its_points() -> None:
    assert {line["Story"] for line in lines(POINTS)} == {tale.name for tale in TALES_OF_FAKES}


def test_nothing_is_lost_or_left() -> None:
    done = [line for table in (REAL, CONTAINERS) for line in lines(table) if line["End"] != NOT_RUN]
    assert done
    assert {(line["Acknowledged writes lost"], line["Things leaked"]) for line in done} == {("0", "0")}
    assert {(line["Writes lost"], line["Things leaked"]) for line in lines(POINTS)} == {("0", "0")}
