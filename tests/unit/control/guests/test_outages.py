"""Outages: what was seen from outside adds up, also over the hands of several workers."""

import threading
from collections.abc import Iterable
from typing import Any

import pytest

from instar.control.guests import outages
from instar.control.guests.fake_outages import FakeOutages
from instar.control.guests.outages import Outages, Record
from instar.wire.outages import OutageView
from waiting import until

WALL = 1_000_000.0


def watch(record: Record, looks: Iterable[tuple[float, bool]]) -> OutageView:
    """Note looks, each of which takes a hundredth of a second."""
    for at, up in looks:
        record.note(up, at, at + 0.01, WALL + at + 0.01)
    return record.view()


def test_nothing_is_counted_while_clients_get_in() -> None:
    view = watch(Record(), [(0.0, True), (1.0, True)])
    assert view == OutageView(seen=WALL + 1.01, ever_up=True)


def test_an_outage_lasts_from_the_first_look_that_fails_to_the_first_that_gets_in() -> None:
    view = watch(Record(), [(0.0, True), (1.0, False), (2.0, False), (3.0, True), (9.0, True)])
    assert (view.seconds, view.longest) == (pytest.approx(2.01), pytest.approx(2.01))
    assert (view.count, view.began, view.ended) == (1, pytest.approx(WALL + 1), WALL + 3.01)
    assert (view.down_since, view.whole, view.resolution) == (None, True, pytest.approx(1.0))


def test_several_outages_add_up() -> None:
    looks = [(0.0, False), (1.0, True), (2.0, False), (5.0, True), (6.0, False), (6.5, False)]
    view = watch(Record(), looks)
    assert view.seconds == pytest.approx(1.01 + 3.01 + 0.51)
    assert (view.longest, view.count) == (pytest.approx(3.01), 3)
    assert (view.began, view.ended, view.down_since) == (
        pytest.approx(WALL),
        WALL + 5.01,
        pytest.approx(WALL + 6),
    )


def test_an_outage_that_lasts_still_is_counted_up_to_the_last_look() -> None:
    view = watch(Record(), [(0.0, True), (1.0, False), (4.0, False)])
    assert (view.seconds, view.longest, view.ended) == (pytest.approx(3.01), pytest.approx(3.01), None)


@pytest.mark.parametrize(
    ("before", "after", "seconds", "count"),
    [
        ([(0.0, True), (1.0, False), (2.0, False)], [(10.0, False), (11.0, True)], 10.01, 1),
        ([(0.0, True), (1.0, False), (2.0, False)], [(10.0, True), (11.0, True)], 9.01, 1),
        ([(0.0, True), (1.0, True)], [(10.0, False), (11.0, True)], 10.0, 1),
        ([(0.0, True), (1.0, True)], [(10.0, True), (11.0, True)], 0.0, 0),
        ([(0.0, False), (1.0, True), (2.0, False)], [(3.0, False), (4.0, True)], 3.02, 2),
    ],
)
def test_what_nobody_saw_between_two_workers_counts_as_down_when_an_end_of_it_is(
    before: list[tuple[float, bool]], after: list[tuple[float, bool]], seconds: float, count: int
) -> None:
    first = watch(Record(), before)
    recorded = OutageView.model_validate(first.model_dump(mode="json"))
    view = watch(Record(recorded), after)
    assert (view.seconds, view.count) == (pytest.approx(seconds), count)
    assert view.down_since is None
    assert not view.whole
    assert view.began == first.began or not first.count


def test_a_clock_that_was_put_back_shortens_nothing() -> None:
    recorded = watch(Record(), [(0.0, True), (1.0, False), (2.0, False)])
    record = Record(recorded)
    record.note(False, 50.0, 50.01, WALL - 3600)
    record.note(True, 51.0, 51.01, WALL - 3599)
    assert record.view().seconds == pytest.approx(1.01)


class Door:
    """An instance that can be reached or not, and who asked."""

    def __init__(self) -> None:
        self.is_open = True
        self.looks: list[tuple[Any, ...]] = []

    def __call__(self, *asked: Any) -> bool:
        self.looks.append(asked)
        return self.is_open

    def looked(self) -> None:
        """Wait for two looks more, one of which began after now."""
        seen = len(self.looks)
        until(lambda: len(self.looks) >= seen + 2)


@pytest.fixture
def door() -> Door:
    return Door()


def test_an_outage_is_seen_from_begin_to_end(door: Door) -> None:
    watched = Outages(door)
    assert watched.view("one") is None
    watched.ensure("one", "postgresql", "10.0.0.1", 5432, None)
    for is_open in (True, False, True):
        door.is_open = is_open
        watched.ensure("one", "postgresql", "10.0.0.1", 5432, None)
        door.looked()
    view = watched.end("one")
    assert view is not None
    assert (view.count, view.whole, view.down_since) == (1, True, None)
    assert view.seconds > 0
    assert door.looks[0] == ("postgresql", "10.0.0.1", 5432, outages.TIMEOUT)
    assert watched.end("one") is None


def test_another_worker_goes_on_from_what_was_recorded(door: Door) -> None:
    first, second = Outages(door), Outages(door)
    door.is_open = False
    first.ensure("one", "postgresql", "10.0.0.1", 5432, None)
    door.looked()
    seen = first.end("one")
    assert seen is not None
    second.ensure("one", "postgresql", "10.0.0.1", 5432, seen.model_dump(mode="json"))
    door.looked()
    view = second.end("one")
    assert view is not None
    assert (view.count, view.whole, view.began) == (1, False, seen.began)
    assert view.seconds >= seen.seconds


def test_a_watch_that_nobody_asks_after_ends_and_can_be_taken_up_again(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Outages(door)
    watched.ensure("one", "postgresql", "10.0.0.1", 5432, None)
    door.looked()
    monkeypatch.setattr(outages, "UNASKED", 0.0)
    until(lambda: not [thread for thread in threading.enumerate() if thread.name == "outage-one"])
    monkeypatch.undo()
    seen = watched.view("one")
    watched.ensure("one", "postgresql", "10.0.0.1", 5432, seen)
    door.looked()
    view = watched.end("one")
    assert view is not None
    assert not view.whole


def test_in_scenarios_each_question_is_a_look() -> None:
    served = {"10.0.0.1": True}
    fake = FakeOutages(lambda address: served[address])
    assert fake.view("one") is None
    for is_up in (True, False, True):
        served["10.0.0.1"] = is_up
        fake.ensure("one", "postgresql", "10.0.0.1", 5432, None)
    view = fake.end("one")
    assert view is not None
    assert (view.count, view.down_since, view.whole) == (1, None, True)
    assert fake.end("one") is None
