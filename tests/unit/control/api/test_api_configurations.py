"""Configuration groups and parameters on the wire: statuses, envelopes, projects, pages."""

from typing import Any

import pytest

from door import Door
from instar.control.catalog import catalogues
from instar.control.store.tables import Operation
from world import catalogue

GROUPS = "/v1.0/acme/configurations"
VERSIONS = "/v1.0/acme/datastores/versions"
MGMT = "/v1.0/acme/mgmt/datastores/versions"


@pytest.fixture
def door(own_door: Door) -> Door:
    """A door whose versions have a catalogue; nobody works behind it."""
    for name, version_id in own_door.versions.items():
        catalogues.refresh(own_door.store, version_id, f"sha256:{name}", lambda _, name=name: catalogue(name))
    return own_door


@pytest.fixture
def acme(door: Door) -> Any:
    return door.as_("acme-token")


@pytest.fixture
def admin(door: Door) -> Any:
    return door.as_("admin-token")


def new(**more: Any) -> dict[str, Any]:
    fields = {"name": "web", "values": {"work_mem": "64MB"}}
    return {"configuration": fields | {"datastore": {"type": "postgresql", "version": "17.10"}} | more}


def make(client: Any, **more: Any) -> str:
    made = client.simulate_post(GROUPS, json=new(**more))
    assert made.status_code == 200, made.text
    return str(made.json["configuration"]["id"])


def test_the_life_of_a_group_in_troves_words(door, acme):
    made = acme.simulate_post(GROUPS, json=new(description="for the shop"))
    assert made.status_code == 200
    group = made.json["configuration"]
    assert group["values"] == {"work_mem": "64MB"}
    assert group["instance_count"] == 0
    assert group["datastore_version_id"] == door.versions["17.10"]
    assert acme.simulate_get(f"{GROUPS}/{group['id']}").json["configuration"] == group
    patched = acme.simulate_patch(f"{GROUPS}/{group['id']}", json={"configuration": {"values": {"jit": 0}}})
    assert (patched.status_code, patched.content) == (200, b"")
    assert patched.headers["content-type"] == "application/json"
    put = acme.simulate_put(f"{GROUPS}/{group['id']}", json={"configuration": {"values": {"jit": 1}}})
    assert (put.status_code, put.content) == (202, b"")
    shown = acme.simulate_get(f"{GROUPS}/{group['id']}").json["configuration"]
    assert (shown["values"], shown["description"]) == ({"jit": 1}, "for the shop")
    assert acme.simulate_get(f"{GROUPS}/{group['id']}/instances").json == {"instances": []}
    gone = acme.simulate_delete(f"{GROUPS}/{group['id']}")
    assert (gone.status_code, gone.content) == (202, b"")
    assert acme.simulate_get(f"{GROUPS}/{group['id']}").status_code == 404


def test_another_project_sees_and_touches_nothing(door, acme):
    group_id = make(acme)
    rival = door.as_("rival-token")
    other = f"/v1.0/rival/configurations/{group_id}"
    change = {"configuration": {"values": {}}}
    assert rival.simulate_get("/v1.0/rival/configurations").json == {"configurations": []}
    for answer in (
        rival.simulate_get(other),
        rival.simulate_get(f"{other}/instances"),
        rival.simulate_put(other, json=change),
        rival.simulate_patch(other, json=change),
        rival.simulate_delete(other),
    ):
        assert answer.status_code == 404
    own = door.create("theirs", token="rival-token")
    door.settle(own)
    attach = {"instance": {"configuration": group_id}}
    assert rival.simulate_put(f"/v1.0/rival/instances/{own}", json=attach).status_code == 404
    assert rival.simulate_get(f"/v1.0/rival/configurations?marker={group_id}").status_code == 400


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"values": {"nonesuch": 1}}, 422),
        ({"values": {"work_mem": "much"}}, 422),
        ({"values": {"work_mem": 1}}, 422),
        ({"values": {"work_mem": [64]}}, 422),
        ({"values": {"work_mem": 10**400}}, 422),
        ({"values": {"port": 1}}, 422),
        ({"values": {"work mem": 1}}, 400),
        ({"values": None}, 400),
        ({"name": ""}, 400),
        ({"name": "x" * 256}, 400),
        ({"datastore": {"type": "postgresql", "version": "9.9"}}, 404),
        ({"datastore": {"type": "oracle"}}, 404),
        ({"extra": 1}, 400),
    ],
)
def test_bad_groups_are_refused_and_leave_nothing(acme, more, status):
    refused = acme.simulate_post(GROUPS, json=new(**more))
    assert refused.status_code == status, refused.text
    assert acme.simulate_get(GROUPS).json == {"configurations": []}


def test_groups_come_in_pages(acme):
    ids = [make(acme, name=f"group {number}") for number in range(3)]
    first = acme.simulate_get(GROUPS, params={"limit": 2}).json
    assert first["links"][0]["rel"] == "next"
    rest = acme.simulate_get(GROUPS, params={"limit": 2, "marker": first["configurations"][-1]["id"]}).json
    assert "links" not in rest
    assert [each["id"] for each in first["configurations"] + rest["configurations"]] == ids[::-1]


def test_attaching_begins_an_operation_and_is_accepted_when_it_takes_long(door, acme):
    group_id, instance_id = make(acme), door.create()
    path = f"/v1.0/acme/instances/{instance_id}"
    attach = {"instance": {"configuration": group_id}}
    busy = acme.simulate_put(path, json=attach)
    assert busy.status_code == 400
    assert "operation" in busy.json["badRequest"]["message"]
    door.settle(instance_id)
    accepted = acme.simulate_put(path, json=attach)
    assert (accepted.status_code, accepted.content) == (202, b"")
    with door.store.read() as session:
        operation = session.get_one(Operation, accepted.headers["x-instar-operation"])
    assert operation.kind == "configure"
    assert operation.inputs["changed"] == ["work_mem"]
    assert "64MB" not in str(operation.inputs)
    assert acme.simulate_delete(f"{GROUPS}/{group_id}").status_code == 400


def test_parameters_are_shown_with_and_without_an_envelope(door, acme):
    version_id = door.versions["17.10"]
    by_name = "/v1.0/acme/datastores/postgresql/versions/17.10/parameters"
    listed = acme.simulate_get(f"{VERSIONS}/{version_id}/parameters").json["configuration-parameters"]
    assert acme.simulate_get(by_name).json["configuration-parameters"] == listed
    one = acme.simulate_get(f"{VERSIONS}/{version_id}/parameters/max_connections").json
    assert acme.simulate_get(f"{by_name}/max_connections").json == one
    assert one in listed
    assert one == {
        "name": "max_connections",
        "type": "integer",
        "datastore_version_id": version_id,
        "restart_required": True,
        "min": 1,
        "max": 262143,
        "default": "100",
    }
    for name in ("port", "nonesuch"):
        assert acme.simulate_get(f"{by_name}/{name}").status_code == 404


def test_the_parameters_of_an_inactive_version_are_for_operators(door, acme, admin):
    version_id = door.versions["16.4"]
    admin.simulate_patch(f"/v1.0/acme/mgmt/datastore-versions/{version_id}", json={"active": False})
    for path in ("", "/work_mem"):
        assert acme.simulate_get(f"{VERSIONS}/{version_id}/parameters{path}").status_code == 404
        assert admin.simulate_get(f"{VERSIONS}/{version_id}/parameters{path}").status_code == 200


def test_defaults_are_those_of_the_instances_version(door, acme):
    instance_id = door.create(version="18.6")
    answer = acme.simulate_get(f"/v1.0/acme/instances/{instance_id}/configuration").json
    assert answer["instance"]["configuration"]["effective_io_concurrency"] == "16"


def test_operators_edit_the_catalogue(door, acme, admin):
    path = f"{MGMT}/{door.versions['17.10']}/parameters"
    wanted = {"name": "my_own", "restart_required": 1, "data_type": "integer", "max_size": 5}
    made = admin.simulate_post(path, json={"configuration-parameter": wanted})
    assert made.status_code == 200
    assert made.json["max_size"] == 5
    assert made.json["restart_required"] is True
    assert admin.simulate_post(path, json={"configuration-parameter": wanted}).status_code == 400
    change = {"restart_required": 0, "data_type": "integer", "max_size": 9}
    changed = admin.simulate_put(f"{path}/my_own", json={"configuration-parameter": change})
    assert (changed.status_code, changed.json["max_size"]) == (200, 9)
    assert make(acme, values={"my_own": 9})
    listed = admin.simulate_get(path).json["configuration-parameters"]
    assert {"my_own", "port"} <= {each["name"] for each in listed}
    assert admin.simulate_get(f"{path}/port").json["fixed"] is True
    gone = admin.simulate_delete(f"{path}/my_own")
    assert (gone.status_code, gone.content) == (204, b"")
    assert admin.simulate_get(f"{path}/my_own").status_code == 404
    assert acme.simulate_post(GROUPS, json=new(values={"my_own": 1})).status_code == 422
    assert admin.simulate_post(path, json={"configuration-parameter": wanted}).status_code == 200


def test_users_do_not_edit_the_catalogue(door, acme):
    path = f"{MGMT}/{door.versions['17.10']}/parameters"
    assert acme.simulate_get(path).status_code == 401
    assert acme.simulate_delete(f"{path}/work_mem").status_code == 401
