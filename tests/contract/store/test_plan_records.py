"""Plans and what upgrades took, on every record store."""

from collections.abc import Iterator

import pytest
from sqlalchemy.orm import Session

from instar.control.operations.planning import history
from instar.control.store import plans
from instar.control.store.session import Store
from instar.control.store.tables import (
    Base,
    Datastore,
    DatastoreVersion,
    Instance,
    Operation,
    Outage,
    PlanRow,
    StepRecord,
)

GIB = 1 << 30


@pytest.fixture
def store(record_store_url: str) -> Iterator[Store]:
    """A store with one instance, `i`."""
    made = Store(record_store_url)
    Base.metadata.create_all(made.engine)
    with made.begin() as session:
        _instance(session)
    yield made
    made.close()


def test_plans_are_kept_found_and_forgotten(store):
    with store.begin() as session:
        for number in range(plans.KEPT + 3):
            for _again in range(2):
                plans.keep(session, _plan(f"p{number}", hash_=f"h{number // 2}", created=float(number)))
    with store.begin() as session:
        assert [row.id for row in plans.of_instance(session, "i")] == [f"p{n}" for n in range(22, 2, -1)]
        assert plans.find(session, "i", "p9").id == "p9"
        assert plans.find(session, "i", "h4").id == "p9"
        assert plans.find(session, "i", "p0") is plans.find(session, "other", "p9") is None
        plans.forget(session, "i")
        assert plans.of_instance(session, "i") == []


def remember(store: Store, sort: str, *seconds: float) -> None:
    with store.begin() as session:
        for number, each in enumerate(seconds):
            session.add(Outage(operation_id=f"{sort}-{number}", sort=sort, seconds=each, created=0.0))


def test_without_history_there_is_no_forecast(store):
    remember(store, "other", 1.0)
    with store.read() as session:
        told = history.forecast(session, "mine")
    assert (told.upgrades, told.p50, told.p95) == (0, None, None)


@pytest.mark.parametrize(
    ("seconds", "p50", "p95"),
    [([2.0], 2.0, 2.0), ([3.0, 1.0], 1.0, 3.0), ([float(n) for n in range(100, 0, -1)], 50.0, 95.0)],
)
def test_a_forecast_is_by_nearest_rank(store, seconds, p50, p95):
    remember(store, "mine", *seconds)
    with store.read() as session:
        told = history.forecast(session, "mine")
    assert (told.upgrades, told.p50, told.p95) == (len(seconds), p50, p95)


def test_a_forecast_rests_on_the_newest(store):
    remember(store, "mine", *[100.0] * 50, *[1.0] * history.NEWEST)
    with store.read() as session:
        told = history.forecast(session, "mine")
    assert (told.upgrades, told.p95) == (history.NEWEST, 1.0)


def test_the_time_of_a_copy_is_estimated_by_earlier_ones(store):
    with store.begin() as session:
        assert history.snapshot_seconds(session, GIB) is None
        _copied(session, "one", size=10 << 20, seconds=1.0)
        _copied(session, "two", size=30 << 20, seconds=1.0)
        _copied(session, "three", size=20 << 20, seconds=1.0)
        _copied(session, "at once", size=0, seconds=9.0, instant=True)
        _copied(session, "none", size=None, seconds=9.0)
    with store.read() as session:
        assert history.snapshot_seconds(session, 40 << 20) == 2.0
        assert history.snapshot_seconds(session, None) is None


def _copied(session, name, *, size, seconds, instant=False):
    planned = {"plan": {"snapshot": {"taken": True, "instant": instant, "bytes": size}}}
    session.add(
        Operation(
            id=name, instance_id="i", project="p", kind="upgrade", inputs={}, details={},
            outputs={"preflight": planned}, status_before="ACTIVE", state="SUCCEEDED", cursor="finish",
            actor="a", request_id="", created=0.0, ended=9.0,
        )
    )  # fmt: skip
    session.flush()
    session.add(
        StepRecord(
            operation_id=name, number=1, name="snapshot", stretch="switch", state="DONE", started=0.0,
            ended=seconds,
        )
    )  # fmt: skip
    session.flush()


def _plan(id_: str, *, hash_: str, created: float) -> PlanRow:
    return PlanRow(id=id_, instance_id="i", hash=hash_, body={}, created=created)


def _instance(session: Session) -> None:
    session.add(Datastore(id="d", name="postgresql", created=0.0))
    session.flush()
    session.add(
        DatastoreVersion(
            id="v", datastore_id="d", name="17.10", number="17.10", manager="postgresql", image_tags=[],
            packages=[], active=True, created=0.0,
        )
    )  # fmt: skip
    session.flush()
    session.add(
        Instance(
            id="i", project="p", name="n", version_id="v", flavor_id="1", volume_size=1, status="ACTIVE",
            next_check=0.0, created=0.0, updated=0.0,
        )
    )  # fmt: skip
