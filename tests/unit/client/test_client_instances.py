"""Instances by id, name or object; changes answer with their operation."""

import logging

import pytest

from control_plane_stub import Answer, Stub, refusal
from instar.client import Client, errors
from instar.wire.ids import new_id

ID = new_id()
OPERATION = new_id()


def shown(name: str, instance_id: str = ID, **more: object) -> dict[str, object]:
    return {"id": instance_id, "name": name, "status": "ACTIVE", "operating_status": "HEALTHY", **more}


def operation(state: str = "OPEN") -> dict[str, object]:
    return {
        "id": OPERATION,
        "kind": "upgrade",
        "instance_id": ID,
        "state": state,
        "created": "2026-01-01T00:00:00",
    }


def test_a_list_goes_on_through_the_pages(stub: Stub, client: Client) -> None:
    following = {"rel": "next", "href": "https://x/v1.0/shop/instances?marker=two%20words&limit=100"}
    stub.on(
        "GET",
        "/instances",
        Answer({"instances": [shown("a")], "links": [following]}),
        Answer({"instances": [shown("b")]}),
    )
    assert [one.name for one in client.instances.list()] == ["a", "b"]
    assert stub.requests[1].query["marker"] == ["two words"]


def test_a_limited_list_asks_for_no_more(stub: Stub, client: Client) -> None:
    following = {"rel": "next", "href": "https://x/?marker=m"}
    stub.on("GET", "/instances/detail", Answer({"instances": [shown("a"), shown("b")], "links": [following]}))
    assert len(list(client.instances.detail(limit=2, marker="z"))) == 2
    assert [(one.query["limit"], one.query["marker"]) for one in stub.requests] == [(["2"], ["z"])]


@pytest.mark.parametrize("given", ["id", "name", "object"])
def test_an_upgrade_takes_an_id_a_name_or_an_object(stub: Stub, client: Client, given: str) -> None:
    stub.on("GET", "/instances", Answer({"instances": [shown("other", new_id()), shown("demo")]}))
    stub.on("GET", f"/instances/{ID}", Answer({"instance": shown("demo")}))
    stub.on("PATCH", f"/instances/{ID}", Answer(status=202, headers={"X-Instar-Operation": OPERATION}))
    stub.on("GET", f"/operations/{OPERATION}", Answer({"operation": operation()}))
    instance = {"id": ID, "name": "demo", "object": client.instances.get(ID)}[given]
    started = client.instances.upgrade(instance, "18.6")
    assert started is not None
    assert started.id == OPERATION
    assert stub.calls("PATCH", f"/instances/{ID}")[0].body == {"instance": {"datastore_version": "18.6"}}


def test_without_the_header_the_newest_operation_is_the_one(stub: Stub, client: Client) -> None:
    stub.on("POST", f"/instances/{ID}/action", Answer(status=202))
    stub.on("GET", f"/instances/{ID}/operations", Answer({"operations": [operation()]}))
    started = client.instances.restart(ID)
    assert started is not None
    assert started.id == OPERATION
    assert stub.requests[0].body == {"restart": {}}


def test_a_control_plane_without_operations_gives_none(stub: Stub, client: Client) -> None:
    stub.on("DELETE", f"/instances/{ID}", Answer(status=202))
    assert client.instances.delete(ID) is None


def test_an_ambiguous_name_tells_the_ids(stub: Stub, client: Client) -> None:
    ids = [new_id(), new_id()]
    stub.on("GET", "/instances", Answer({"instances": [shown("demo", one) for one in ids]}))
    with pytest.raises(errors.Ambiguous) as caught:
        client.instances.get("demo")
    assert all(one in str(caught.value) for one in ids)


def test_an_unknown_name_is_not_found(stub: Stub, client: Client) -> None:
    stub.on("GET", "/instances", Answer({"instances": []}))
    with pytest.raises(errors.NotFound, match="demo"):
        client.instances.delete("demo")
    assert [one.method for one in stub.requests] == ["GET"]


def test_create_sends_what_was_asked_for_and_nothing_else(stub: Stub, client: Client) -> None:
    stub.on(
        "POST", "/instances", Answer({"instance": shown("demo")}, headers={"X-Instar-Operation": OPERATION})
    )
    made = client.instances.create("demo", flavor="small", volume_size=1, version="17.10", databases=["shop"])
    assert made.operation == {"id": OPERATION}
    assert stub.requests[0].body == {
        "instance": {
            "name": "demo",
            "flavorRef": "small",
            "volume": {"size": 1},
            "datastore": {"version": "17.10"},
            "databases": [{"name": "shop"}],
        }
    }


def test_bad_input_names_the_field_and_hides_the_password(stub: Stub, client: Client) -> None:
    user = {"name": "ann", "password": "a-secret-word", "databases": "shop"}
    with pytest.raises(errors.BadRequest, match=r"instance\.users\.0\.databases") as caught:
        client.instances.create("demo", flavor="small", volume_size=1, users=[user])
    assert "a-secret-word" not in repr(caught.value) + str(caught.value.__cause__)
    assert stub.requests == []


def test_passwords_and_tokens_are_not_logged(
    stub: Stub, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    stub.on("POST", f"/instances/{ID}/users", refusal(400, "badRequest", "bad_request", "No"))
    with pytest.raises(errors.BadRequest):
        client.users.create(ID, "ann", "a-secret-word")
    assert "/users" in caplog.text
    assert "a-secret-word" not in caplog.text
    assert "a-token-for-tests" not in caplog.text


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_would_be_another_path_is_refused(stub: Stub, client: Client, name: str) -> None:
    """`DELETE /instances/ID/databases/..` would delete the instance."""
    with pytest.raises(errors.BadRequest):
        client.databases.delete(ID, name)
    with pytest.raises(errors.BadRequest):
        client.users.revoke(ID, name, name)
    assert stub.requests == []


@pytest.mark.parametrize(("name", "sent"), [("a b", "a b"), ("a/b", "a%2Fb"), ("a?b#c", "a?b#c")])
def test_a_name_stays_one_segment_of_the_path(stub: Stub, client: Client, name: str, sent: str) -> None:
    path = f"/instances/{ID}/users/{sent}@10.0.0.1"
    stub.on("DELETE", path, Answer(status=202))
    client.users.delete(ID, name, "10.0.0.1")
    assert stub.requests[0].path == path
