"""Instances: what is listed and shown, what a change may say."""

import re
import socket
import subprocess
from urllib.parse import parse_qs, urlsplit

import pytest

INSTANCES = "/v1.0/acme/instances"


@pytest.fixture
def acme(door):
    return door.as_("acme-token")


@pytest.fixture
def settled(door):
    instance_id = door.create()
    door.settle(instance_id)
    return instance_id


def create(name="db", **more):
    return {"instance": {"name": name, "flavorRef": "1", "volume": {"size": 1}, **more}}


def test_create_answers_200_with_the_instance_and_names_the_operation(acme):
    answer = acme.simulate_post(INSTANCES, json=create(flavorRef="http://h/flavors/1", volume={"size": "2"}))
    assert answer.status_code == 200
    made = answer.json["instance"]
    assert (made["status"], made["operating_status"]) == ("BUILD", "")
    assert (made["flavor"]["id"], made["volume"]) == ("1", {"size": 2})
    assert made["datastore"] == {"type": "postgresql", "version": "18.6", "version_number": "18.6"}
    assert made["operation"]["id"] == answer.headers["x-instar-operation"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", made["created"])
    for absent in ("replicas", "replica_of", "ip", "addresses", "fault", "tenant_id", "configuration"):
        assert absent not in made


def test_links_are_https_under_the_host_that_was_asked(door):
    client = door.as_("acme-token")
    instance_id = door.create()
    shown = client.simulate_get(f"{INSTANCES}/{instance_id}", headers={"Host": "db.example:8779"})
    assert shown.json["instance"]["links"] == [
        {"rel": "self", "href": f"https://db.example:8779{INSTANCES}/{instance_id}"},
        {"rel": "bookmark", "href": f"https://db.example:8779/instances/{instance_id}"},
    ]


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"restorePoint": {"backupRef": "b"}}, "restorePoint"),
        ({"replica_of": "x"}, "replica_of"),
        ({"modules": [{"id": "x"}]}, "modules"),
        ({"locality": "affinity"}, "locality"),
        ({"replica_count": 1}, "replica_count"),
    ],
)
def test_what_is_not_built_is_refused_and_makes_nothing(own_door, more, field):
    client = own_door.as_("acme-token")
    refused = client.simulate_post(INSTANCES, json=create(**more))
    assert refused.status_code == 501
    assert f"instance.{field}" in refused.json["notImplemented"]["message"]
    assert client.simulate_get(INSTANCES).json["instances"] == []


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"databases": [{"name": "a", "character_set": "utf8mb4"}]}, "databases.0.character_set"),
        ({"databases": [{"name": "a", "collate": "no such"}]}, "databases.0.collate"),
        ({"users": [{"name": "u", "password": "p", "host": "some where"}]}, "users.0.host"),
    ],
)
def test_text_and_hosts_that_no_database_has_are_refused_before_anything_is_made(own_door, more, field):
    client = own_door.as_("acme-token")
    answer = client.simulate_post(INSTANCES, json=create(**more))
    assert (answer.status_code, field in answer.text) == (400, True)
    assert client.simulate_get(INSTANCES).json == {"instances": []}


@pytest.mark.parametrize("nic", [{"net-id": "n"}, {"network_id": "n", "subnet_id": "s"}])
def test_both_spellings_of_a_network_are_taken_and_an_address_is_not(acme, nic):
    assert acme.simulate_post(INSTANCES, json=create(nics=[nic])).status_code == 200
    refused = acme.simulate_post(INSTANCES, json=create(nics=[nic | {"ip_address": "10.0.0.1"}]))
    assert refused.status_code == 400
    assert "ip_address" in refused.json["badRequest"]["message"]
    assert acme.simulate_post(INSTANCES, json=create(nics=[nic, nic])).status_code == 400


def test_pages_walk_every_instance_once_newest_first(own_door):
    ids = [own_door.create(f"n{number}") for number in range(7)]
    for instance_id in ids[:4]:
        own_door.settle(instance_id, created=5.0)  # the same moment: the id decides
    client, seen, query = own_door.as_("acme-token"), [], {"limit": "3"}
    while query:
        page = client.simulate_get(INSTANCES, params=query).json
        assert len(page["instances"]) <= 3
        seen += [(instance["id"], instance["name"]) for instance in page["instances"]]
        (link,) = page.get("links", [None])
        query = (
            {name: value[0] for name, value in parse_qs(urlsplit(link["href"]).query).items()}
            if link
            else None
        )
    assert sorted(instance_id for instance_id, _ in seen) == sorted(ids)
    assert [name for _, name in seen[:3]] == ["n6", "n5", "n4"]


def test_a_page_that_ends_with_the_list_has_no_next(own_door):
    for _ in range(2):
        own_door.create()
    client = own_door.as_("acme-token")
    assert "links" not in client.simulate_get(INSTANCES, params={"limit": "2"}).json
    assert "links" in client.simulate_get(INSTANCES, params={"limit": "1"}).json


def test_a_page_goes_on_behind_an_instance_that_was_deleted_meanwhile(own_door):
    old, new = own_door.create("old"), own_door.create("new")
    own_door.settle(new, deleted=True, status="DELETED")
    page = own_door.as_("acme-token").simulate_get(INSTANCES, params={"marker": new}).json
    assert [instance["id"] for instance in page["instances"]] == [old]


def test_a_deleted_instance_cannot_be_found(door, acme, settled):
    door.settle(settled, deleted=True, status="DELETED")
    assert acme.simulate_get(f"{INSTANCES}/{settled}").status_code == 404
    assert acme.simulate_delete(f"{INSTANCES}/{settled}").status_code == 404


def test_a_name_is_not_an_id(acme, door):
    door.create("by-name")
    assert acme.simulate_get(f"{INSTANCES}/by-name").status_code == 404


def test_an_instance_at_rest_shows_where_it_is_and_how_full(door, acme, settled):
    door.settle(settled, volume_used=2.0**28, engine_version="17.10")
    shown = acme.simulate_get(f"{INSTANCES}/{settled}").json["instance"]
    assert (shown["status"], shown["operating_status"]) == ("ACTIVE", "HEALTHY")
    assert (shown["ip"], shown["port"]) == (["127.0.0.9"], 5432)
    assert shown["addresses"] == [{"address": "127.0.0.9", "type": "private"}]
    assert shown["volume"] == {"size": 1, "used": 0.25, "used_percent": 25.0}
    assert "operation" not in shown


def test_a_fault_is_shown_and_its_details_are_for_operators(door, settled):
    door.settle(settled, status="ERROR", fault={"message": "it broke", "created": 0.0, "details": "why"})
    path = f"{INSTANCES}/{settled}"
    shown = door.as_("acme-token").simulate_get(path).json["instance"]
    assert shown["fault"] == {"message": "it broke", "created": "1970-01-01T00:00:00", "details": None}
    assert shown["operating_status"] == ""
    assert door.as_("admin-token").simulate_get(path).json["instance"]["fault"]["details"] == "why"


@pytest.mark.parametrize("verb", ["PUT", "PATCH"])
@pytest.mark.parametrize("by", ["name", "id"])
def test_an_upgrade_shows_before_the_answer_and_takes_ids_and_names(door, acme, settled, verb, by):
    wanted = "18.6" if by == "name" else door.versions["18.6"]
    answer = acme.simulate_request(
        verb, f"{INSTANCES}/{settled}", json={"instance": {"datastore_version": wanted}}
    )
    assert (answer.status_code, answer.content) == (202, b"")
    shown = acme.simulate_get(f"{INSTANCES}/{settled}").json["instance"]
    assert (shown["status"], shown["operating_status"]) == ("UPGRADE", "")
    assert shown["datastore"]["version"] == "17.10"
    assert shown["operation"]["id"] == answer.headers["x-instar-operation"]


def test_a_second_change_is_422_and_names_the_operation_in_the_way(acme, settled):
    body = {"instance": {"datastore_version": "18.6"}}
    first = acme.simulate_patch(f"{INSTANCES}/{settled}", json=body)
    for refused in (
        acme.simulate_patch(f"{INSTANCES}/{settled}", json=body),
        acme.simulate_post(f"{INSTANCES}/{settled}/action", json={"restart": {}}),
        acme.simulate_delete(f"{INSTANCES}/{settled}"),
        acme.simulate_get(f"{INSTANCES}/{settled}/databases"),
    ):
        assert refused.status_code == 422
        assert first.headers["x-instar-operation"] in refused.json["unprocessableEntity"]["message"]


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"datastore_version": "99"}, 404, "99"),
        ({"datastore_version": "01234567-89ab-cdef-0123-456789abcdef"}, 404, "cannot be found"),
        ({"datastore_version": "16.4"}, 400, "It can go to: 17.10, 18.6"),
        ({"datastore_version": None}, 400, "instance.datastore_version"),
        ({"name": None}, 400, "instance.name"),
        ({"name": ""}, 400, "instance.name"),
        ({"datastore_version": "18.6", "configuration": None}, 400, "Only one attribute"),
        ({"configuration": "x"}, 404, "Configuration group 'x' cannot be found"),
        ({"replica_of": ""}, 501, "instance.replica_of"),
        ({"access": {"allowed_cidrs": ["10.0.0.0/8"]}}, 501, "instance.access.allowed_cidrs"),
        ({"access": {"allowed_cidrs": ["10.0.0.300/8"]}}, 400, "instance.access.allowed_cidrs.0"),
        ({"access": None}, 400, "instance.access"),
        ({"status": "ACTIVE"}, 400, "instance.status"),
    ],
)
def test_what_a_change_may_not_say(door, acme, settled, change, status, said):
    refused = acme.simulate_patch(f"{INSTANCES}/{settled}", json={"instance": change})
    assert refused.status_code == status
    (problem,) = refused.json.values()
    assert said in problem["message"]
    assert acme.simulate_get(f"{INSTANCES}/{settled}").json["instance"]["status"] == "ACTIVE"


def test_a_rename_may_ride_with_an_upgrade(acme, settled):
    body = {"instance": {"name": "renamed", "datastore_version": "18.6"}}
    assert acme.simulate_put(f"{INSTANCES}/{settled}", json=body).status_code == 202
    shown = acme.simulate_get(f"{INSTANCES}/{settled}").json["instance"]
    assert (shown["name"], shown["status"]) == ("renamed", "UPGRADE")


@pytest.mark.parametrize(
    ("action", "status"),
    [
        ({"restart": {}}, 202),
        ({"restart": None}, 202),
        ({"restart": {"hard": True}}, 400),
        ({"reboot": {}}, 202),
        ({"resize": {"flavorRef": "m.large"}}, 501),
        ({"resize": {"flavorRef": "1"}}, 400),
        ({"resize": {"flavorRef": "2"}}, 400),
        ({"resize": {"volume": {"size": 1}}}, 400),
        ({"resize": {"volume": {"size": 2}, "flavorRef": "m.large"}}, 400),
        ({"resize": {}}, 400),
        ({"promote_to_replica_source": {}}, 501),
        ({"explode": {}}, 400),
        ({"restart": {}, "resize": {}}, 400),
        ({}, 400),
        ({"restart": "now"}, 400),
    ],
)
def test_actions(acme, settled, action, status):
    assert acme.simulate_post(f"{INSTANCES}/{settled}/action", json=action).status_code == status


def test_reachable_versions_are_told(acme, settled):
    versions = acme.simulate_get(f"{INSTANCES}/{settled}/versions").json["versions"]
    assert [version["name"] for version in versions] == ["17.10", "18.6"]


def test_operators_list_the_instances_of_every_project(own_door):
    mine, theirs = own_door.create("mine"), own_door.create("theirs", token="rival-token")
    admin, path = own_door.as_("admin-token"), "/v1.0/acme/mgmt/instances"

    def listed(**query):
        return [row["id"] for row in admin.simulate_get(path, params=query).json["instances"]]

    assert listed() == [theirs, mine]
    assert listed(project_id="rival") == [theirs]
    own_door.settle(theirs, deleted=True, status="DELETED")
    assert listed() == [mine]
    assert listed(deleted="True") == [theirs]
    assert admin.simulate_get(f"{path}/{mine}").json["instance"]["tenant_id"] == "acme"


def test_the_door_opens_no_connection_and_starts_no_program(door, acme, settled, monkeypatch):
    def touch(*_args, **_kwargs):
        raise AssertionError("the door touched a machine")

    monkeypatch.setattr(socket.socket, "connect", touch)
    monkeypatch.setattr(subprocess.Popen, "__init__", touch)
    one = f"{INSTANCES}/{settled}"
    assert acme.simulate_get(f"{one}/databases").status_code == 503  # nobody is there to ask the guest
    assert acme.simulate_post(f"{one}/action", json={"restart": {}}).status_code == 202
    door.settle(settled)
    assert acme.simulate_patch(one, json={"instance": {"datastore_version": "18.6"}}).status_code == 202
    door.settle(settled)
    assert acme.simulate_delete(one).status_code == 202
    assert acme.simulate_post(INSTANCES, json=create()).status_code == 200
