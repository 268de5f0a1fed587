"""Databases, users and root: from the door through a worker and the agent's table of hooks to a datastore."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from door import Door, make_door
from memory_datastore import MemoryGuests, worker_of


@pytest.fixture
def guests() -> MemoryGuests:
    return MemoryGuests()


@pytest.fixture
def door(tmp_path: Path, guests: MemoryGuests) -> Iterator[Door]:
    made = make_door(tmp_path)
    worker = worker_of(made, guests)
    worker.start()
    yield made
    worker.stop()
    made.store.close()


@pytest.fixture
def path(door: Door) -> str:
    return f"/v1.0/acme/instances/{door.serving_instance()}"


@pytest.fixture
def acme(door: Door):
    return door.as_("acme-token")


def user_path(path: str, user: str) -> str:
    """Spell a user as clients do: quoted, and dots twice as hidden."""
    return f"{path}/users/{quote(user).replace('.', '%2e')}"


def test_databases_are_made_listed_in_pages_and_dropped(acme, path):
    body = {"databases": [{"name": name} for name in ("c.d", "a", "b")]}
    made = acme.simulate_post(f"{path}/databases", json=body)
    assert (made.status_code, made.content) == (202, b"")
    first = acme.simulate_get(f"{path}/databases", params={"limit": "2"}).json
    assert first["databases"] == [{"name": "a"}, {"name": "b"}]
    assert "marker=b" in first["links"][0]["href"]
    rest = acme.simulate_get(f"{path}/databases", params={"limit": "2", "marker": "b"}).json
    assert rest == {"databases": [{"name": "c.d"}]}
    assert acme.simulate_delete(f"{path}/databases/c%2ed").status_code == 202
    assert acme.simulate_delete(f"{path}/databases/c.d").status_code == 404
    assert acme.simulate_get(f"{path}/databases", params={"marker": "zz"}).status_code == 400


def test_a_database_that_exists_is_a_400(acme, path):
    body = {"databases": [{"name": "a"}]}
    assert acme.simulate_post(f"{path}/databases", json=body).status_code == 202
    assert acme.simulate_post(f"{path}/databases", json=body).status_code == 400


def test_a_users_life(acme, path, guests):
    acme.simulate_post(f"{path}/databases", json={"databases": [{"name": "a"}, {"name": "b"}]})
    user = {"name": "u", "password": "one", "host": "10.0.0.1", "databases": [{"name": "a"}]}
    assert acme.simulate_post(f"{path}/users", json={"users": [user]}).status_code == 202
    one = user_path(path, "u@10.0.0.1")
    shown = acme.simulate_get(one).json["user"]
    assert shown == {"name": "u", "host": "10.0.0.1", "databases": [{"name": "a"}]}
    assert acme.simulate_get(f"{path}/users").json["users"] == [shown]

    granted = acme.simulate_put(f"/{one}/databases", json={"databases": [{"name": "b"}]})
    assert (granted.status_code, granted.content) == (202, b"")
    assert acme.simulate_get(f"{one}/databases").json == {"databases": [{"name": "a"}, {"name": "b"}]}
    assert acme.simulate_delete(f"{one}/databases/a").status_code == 202
    assert acme.simulate_delete(f"{one}/databases/a").status_code == 404

    renamed = acme.simulate_put(one, json={"user": {"name": "v", "password": "two"}})
    assert renamed.status_code == 202
    assert acme.simulate_get(one).status_code == 404
    change = {"users": [{"name": "v", "host": "10.0.0.1", "password": "three"}]}
    assert acme.simulate_put(f"{path}/users", json=change).status_code == 202
    assert guests.passwords() == {"v": "three"}
    assert acme.simulate_delete(user_path(path, "v@10.0.0.1")).status_code == 202
    assert acme.simulate_get(f"{path}/users").json == {"users": []}


def test_a_user_without_a_host_may_come_from_anywhere(acme, path):
    body = {"users": [{"name": "a.b", "password": "x"}]}
    assert acme.simulate_post(f"{path}/users", json=body).status_code == 202
    assert acme.simulate_get(user_path(path, "a.b")).json["user"]["host"] == "%"
    assert acme.simulate_get(user_path(path, "a.b@%")).json["user"]["name"] == "a.b"
    assert acme.simulate_get(user_path(path, "a.b@10.0.0.1")).status_code == 404


@pytest.mark.parametrize("body", [None, {}, {"password": "chosen"}])
def test_root_is_let_in_told_once_and_shut_out(acme, path, guests, body):
    assert acme.simulate_get(f"{path}/root").json == {"rootEnabled": False}
    enabled = (
        acme.simulate_post(f"{path}/root", json=body)
        if body is not None
        else acme.simulate_post(f"{path}/root")
    )
    assert enabled.status_code == 200
    told = enabled.json["user"]
    assert (told["name"], told["password"]) == ("root", guests.datastore.root)
    if body:
        assert told["password"] == "chosen"
    assert acme.simulate_get(f"{path}/root").json == {"rootEnabled": True}
    disabled = acme.simulate_delete(f"{path}/root")
    assert (disabled.status_code, disabled.content) == (204, b"")
    assert acme.simulate_delete(f"{path}/root").status_code == 404


def test_no_password_is_left_in_the_records(door, acme, path, tmp_path):
    users = {"users": [{"name": "u", "password": "s3cret-one"}]}
    assert acme.simulate_post(f"{path}/users", json=users).status_code == 202
    change = {"user": {"password": "s3cret-two"}}
    assert acme.simulate_put(f"{path}/users/u", json=change).status_code == 202
    assert acme.simulate_post(f"{path}/root", json={"password": "s3cret-root"}).status_code == 200
    door.store.close()
    for file in tmp_path.iterdir():
        assert b"s3cret" not in file.read_bytes(), file
