"""Operations as the door shows them."""

import json

import pytest
from sqlalchemy import update

from instar.control.engine.record import enter
from instar.control.events import record
from instar.control.operations.stories import STORIES
from instar.control.store.tables import Operation

OPERATIONS = "/v1.0/acme/operations"


@pytest.fixture
def acme(own_door):
    return own_door.as_("acme-token")


@pytest.fixture
def upgrade(own_door, acme):
    """An upgrade that was accepted and not begun."""
    instance_id = own_door.create()
    own_door.settle(instance_id)
    body = {"instance": {"datastore_version": "18.6"}}
    return acme.simulate_patch(f"/v1.0/acme/instances/{instance_id}", json=body).headers["x-instar-operation"]


def change(door, operation_id, **values):
    with door.store.begin() as session:
        session.execute(update(Operation).where(Operation.id == operation_id).values(**values))


def advance(door, operation_id, *steps):
    """Move the cursor through steps, as the engine does."""
    with door.store.begin() as session:
        operation = session.get_one(Operation, operation_id)
        for name in steps:
            step = STORIES[operation.kind].find(name)
            assert step is not None
            enter(session, door.store.now(session), operation, step)


def test_an_operation_not_begun_shows_every_step_as_pending(acme, upgrade):
    shown = acme.simulate_get(f"{OPERATIONS}/{upgrade}").json["operation"]
    assert (shown["kind"], shown["state"], shown["step"]) == ("upgrade", "OPEN", "preflight")
    assert [step["name"] for step in shown["steps"]] == [step.name for step in STORIES["upgrade"].steps]
    assert {step["state"] for step in shown["steps"]} == {"PENDING"}


def test_the_step_under_way_has_a_reason_and_the_ones_behind_are_pending(own_door, acme, upgrade):
    advance(own_door, upgrade, "preflight")
    change(own_door, upgrade, reason="looking", percent=40.0)
    steps = acme.simulate_get(f"{OPERATIONS}/{upgrade}").json["operation"]["steps"]
    first = steps[0]
    assert (first["state"], first["reason"], first["percent"]) == ("RUNNING", "looking", 40.0)
    assert first["seconds"] >= 0
    assert [step["name"] for step in steps] == [step.name for step in STORIES["upgrade"].steps]


def test_a_failed_operation_offers_resume_and_what_it_did_not_reach_is_skipped(own_door, acme, upgrade):
    error = {"code": "guest", "brief": "it broke"}
    change(own_door, upgrade, state="FAILED", slot=None, due_at=None, ended=2e9, error=error)
    shown = acme.simulate_get(f"{OPERATIONS}/{upgrade}").json["operation"]
    assert shown["verbs"] == []
    assert shown["error"]["brief"] == "it broke"
    assert {step["state"] for step in shown["steps"]} == {"SKIPPED"}
    with own_door.store.begin() as session:
        session.get_one(Operation, upgrade).instance.status = "ERROR"
    assert acme.simulate_get(f"{OPERATIONS}/{upgrade}").json["operation"]["verbs"] == ["resume"]
    resumed = acme.simulate_post(f"{OPERATIONS}/{upgrade}/action", json={"resume": {}})
    assert (resumed.status_code, resumed.content) == (202, b"")
    status = acme.simulate_get(f"/v1.0/acme/instances/{shown['instance_id']}").json["instance"]["status"]
    assert status == "UPGRADE"


@pytest.mark.parametrize(
    ("action", "status"),
    [({"resume": {}}, 422), ({"rewind": {}}, 400), ({"resume": {"from": "stage"}}, 400), ({}, 400)],
)
def test_actions_that_are_refused(acme, upgrade, action, status):
    assert acme.simulate_post(f"{OPERATIONS}/{upgrade}/action", json=action).status_code == status


def test_an_instances_operations_are_listed_newest_first_without_inquiries(own_door, acme, upgrade):
    instance_id = acme.simulate_get(f"{OPERATIONS}/{upgrade}").json["operation"]["instance_id"]
    own_door.settle(instance_id)
    path = f"/v1.0/acme/instances/{instance_id}"
    assert acme.simulate_get(f"{path}/databases").status_code == 503
    first = acme.simulate_get(f"{path}/operations", params={"limit": "1"}).json
    assert [operation["kind"] for operation in first["operations"]] == ["upgrade"]
    assert "steps" not in first["operations"][0]
    rest = acme.simulate_get(f"{path}/operations", params={"marker": upgrade}).json
    assert [operation["kind"] for operation in rest["operations"]] == ["create"]
    assert first["links"][0]["rel"] == "next"
    assert "links" not in rest


def frames(answer):
    return [
        dict(line.split(": ", 1) for line in frame.split("\n"))
        for frame in answer.text.split("\n\n")
        if frame
    ]


def test_the_stream_tells_all_events_and_ends_with_the_operation(own_door, acme, upgrade):
    with own_door.store.begin() as session:
        operation = session.get_one(Operation, upgrade)
        record.end(session, operation, own_door.store.now(session), {"note": "line\nbreak"})
        operation.state = "SUCCEEDED"
    answer = acme.simulate_get(f"{OPERATIONS}/{upgrade}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    told = frames(answer)
    assert [frame["event"] for frame in told] == ["trove.upgrade.start", "trove.upgrade.end"]
    assert json.loads(told[1]["data"])["payload"]["details"] == {"note": "line\nbreak"}
    first = told[0]["id"]
    for behind in (
        acme.simulate_get(f"{OPERATIONS}/{upgrade}/events", params={"after": first}),
        acme.simulate_get(f"{OPERATIONS}/{upgrade}/events", headers={"Last-Event-ID": first}),
    ):
        assert [frame["event"] for frame in frames(behind)] == ["trove.upgrade.end"]


@pytest.mark.parametrize("position", ["x", "-1", "9" * 30, "1.5"])
def test_a_bad_position_in_the_stream_is_refused(acme, upgrade, position):
    path = f"{OPERATIONS}/{upgrade}/events"
    assert acme.simulate_get(path, params={"after": position}).status_code == 400
    assert acme.simulate_get(path, headers={"Last-Event-ID": position}).status_code == 400
