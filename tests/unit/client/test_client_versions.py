"""Datastore versions by id or name, and their management."""

import pytest

from control_plane_stub import Answer, Stub
from instar.client import Client, errors
from instar.wire.ids import new_id

ID = new_id()
VERSION = {"id": ID, "name": "18.6", "version": "18.6"}


def _datastores(stub: Stub, *names: str) -> None:
    made = [{"id": new_id(), "name": name, "versions": [{**VERSION, "id": new_id()}]} for name in names]
    stub.on("GET", "/datastores", Answer({"datastores": made}))


def test_a_name_that_two_datastores_have_is_ambiguous(stub: Stub, client: Client) -> None:
    _datastores(stub, "postgresql", "edb")
    with pytest.raises(errors.Ambiguous):
        client.versions.get("18.6")


def test_a_name_is_looked_for_in_its_datastore(stub: Stub, client: Client) -> None:
    stub.on("GET", "/datastores/postgresql/versions", Answer({"versions": [VERSION]}))
    stub.on("GET", f"/datastores/versions/{ID}", Answer({"version": VERSION}))
    assert client.versions.get("18.6", "postgresql").id == ID


def test_create_registers_and_gives_the_version(stub: Stub, client: Client) -> None:
    stub.on("POST", "/mgmt/datastore-versions", Answer(status=202))
    stub.on("GET", "/datastores/postgresql/versions", Answer({"versions": [VERSION]}))
    made = client.versions.create("postgresql", "18.6", manager="postgresql", image="sha256:1", default=True)
    assert made.id == ID
    assert stub.requests[0].body["version"] == {
        "name": "18.6",
        "datastore_name": "postgresql",
        "datastore_manager": "postgresql",
        "active": True,
        "image": "sha256:1",
        "default": True,
    }


def test_update_sends_only_the_changes(stub: Stub, client: Client) -> None:
    stub.on("PATCH", f"/mgmt/datastore-versions/{ID}", Answer(status=202))
    stub.on("GET", f"/datastores/versions/{ID}", Answer({"version": VERSION}))
    client.versions.update(ID, active=False)
    assert stub.requests[0].body == {"active": False}
    with pytest.raises(errors.BadRequest, match="colour"):
        client.versions.update(ID, colour="red")
