"""What a data directory says of the order of its indexes, from image to image."""

from pathlib import Path

import pytest

from instar.agent.datastores.postgresql import ordering_note
from instar.agent.datastores.postgresql.ordering import Change
from instar.agent.datastores.postgresql.ordering_note import Ordering

OLD, NEW = {"libc": "2.36", "icu": "72.1"}, {"libc": "2.41", "icu": "72.1"}


def test_indexes_are_at_risk_on_another_version_until_they_are_settled(tmp_path: Path) -> None:
    ordering_note.ensure(tmp_path, OLD)
    ordering_note.ensure(tmp_path, NEW)
    noted = ordering_note.read(tmp_path)
    assert noted
    assert (noted.strangers(OLD), noted.strangers(NEW)) == ([], ["libc"])
    ordering_note.settle(tmp_path, NEW)
    noted = ordering_note.read(tmp_path)
    assert noted
    assert (noted.strangers(OLD), noted.strangers(NEW)) == (["libc"], [])


def test_what_clients_wrote_under_two_versions_is_at_risk_on_both(tmp_path: Path) -> None:
    ordering_note.settle(tmp_path, OLD)
    assert ordering_note.is_home(tmp_path, OLD)
    assert not ordering_note.is_home(tmp_path, NEW)
    ordering_note.lets_in(tmp_path, NEW)
    assert ordering_note.is_home(tmp_path, NEW)
    assert not ordering_note.is_home(tmp_path, OLD)
    noted = ordering_note.read(tmp_path)
    assert noted
    assert noted.by["libc"] == ["2.36", "2.41"]
    assert noted.strangers(OLD) == noted.strangers(NEW) == ["libc"]


def test_a_rebuild_under_way_puts_both_versions_in_doubt_and_lets_neither_in(tmp_path: Path) -> None:
    moving = Ordering(by={"libc": ["2.36"]}, towards={"libc": "2.41"}, files={"shop": {16400: 16400}})
    ordering_note.write(tmp_path, moving)
    assert ordering_note.read(tmp_path) == moving
    assert moving.strangers(OLD) == moving.strangers(NEW) == ["libc"]
    assert not ordering_note.is_home(tmp_path, OLD)
    ordering_note.lets_in(tmp_path, NEW)
    noted = ordering_note.read(tmp_path)
    assert noted
    assert (noted.by["libc"], noted.files) == (["2.36", "2.41"], {})


def test_a_version_that_is_not_known_is_no_reason_to_doubt(tmp_path: Path) -> None:
    assert ordering_note.is_home(tmp_path, NEW)
    assert ordering_note.noted({}).strangers(NEW) == []
    assert ordering_note.noted({"glibc": "2.36"}).strangers({}) == []
    (tmp_path / "instar_text_ordering.json").write_text("scribble")
    assert ordering_note.read(tmp_path) is None


@pytest.mark.parametrize(
    ("before", "after", "strict"), [("2.36", "2.41", True), ("2.31", "2.36", False), ("2.36", "2.31", False)]
)
def test_code_point_order_is_trusted_from_the_release_that_brought_it(
    before: str, after: str, strict: bool
) -> None:
    change = Change.between(Ordering(by={"libc": [before]}), {"libc": after})
    assert (r"C\." in change.by_bytes) == strict


def test_what_the_image_tells_later_fills_a_note_that_knew_nothing(tmp_path: Path) -> None:
    ordering_note.settle(tmp_path, {})
    ordering_note.ensure(tmp_path, OLD)
    ordering_note.ensure(tmp_path, NEW)
    noted = ordering_note.read(tmp_path)
    assert noted
    assert noted.by == {"libc": ["2.36"], "icu": ["72.1"]}
