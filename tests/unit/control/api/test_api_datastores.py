"""Datastores, their versions, flavors: as users see them and as operators change them."""

import pytest

DATASTORES = "/v1.0/acme/datastores"
MGMT = "/v1.0/acme/mgmt/datastore-versions"


@pytest.fixture
def acme(own_door):
    return own_door.as_("acme-token")


@pytest.fixture
def admin(own_door):
    return own_door.as_("admin-token")


def new(**more):
    fields = {"name": "15.8", "datastore_name": "postgresql", "datastore_manager": "postgresql"}
    return {"version": fields | {"active": True, "image": "sha256:x"} | more}


def find(admin, name):
    return next(row for row in admin.simulate_get(MGMT).json["versions"] if row["name"] == name)


def test_a_datastore_is_found_by_id_and_name_and_has_a_default(own_door, acme):
    (listed,) = acme.simulate_get(DATASTORES).json["datastores"]
    assert listed["default_version"] == own_door.versions["18.6"]
    assert [version["name"] for version in listed["versions"]] == ["16.4", "17.10", "18.6"]
    for ref in (listed["id"], "postgresql"):
        assert acme.simulate_get(f"{DATASTORES}/{ref}").json["datastore"] == listed
        for version in ("17.10", own_door.versions["17.10"]):
            shown = acme.simulate_get(f"{DATASTORES}/{ref}/versions/{version}").json["version"]
            assert (shown["name"], shown["version"]) == ("17.10", "17.10")
    by_id = acme.simulate_get(f"{DATASTORES}/versions/{own_door.versions['17.10']}").json["version"]
    assert by_id["name"] == "17.10"


@pytest.mark.parametrize("path", ["mysql", "mysql/versions", "postgresql/versions/9", "versions/x"])
def test_what_is_not_registered_cannot_be_found(acme, path):
    assert acme.simulate_get(f"{DATASTORES}/{path}").status_code == 404


def test_a_version_is_registered_with_an_empty_answer(admin):
    answer = admin.simulate_post(MGMT, json=new(upgrade_from=[">=13"], default=True))
    assert (answer.status_code, answer.content) == (202, b"")
    shown = find(admin, "15.8")
    assert (shown["version"], shown["image"], shown["default"]) == ("15.8", "sha256:x", True)
    assert (shown["registry_ext"], shown["image_tags"]) == (None, [])
    assert shown["upgrade_from"] == [">=13"]


def test_registering_under_a_new_name_makes_the_datastore(admin, acme):
    body = new(name="11.8", datastore_name="mariadb", datastore_manager="mariadb")
    assert admin.simulate_post(MGMT, json=body).status_code == 202
    assert acme.simulate_get(f"{DATASTORES}/mariadb/versions").json["versions"][0]["name"] == "11.8"


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"image": None}, "version.image"),
        ({"name": "latest"}, "version.version"),
        ({"upgrade_from": ["~>3"]}, "version.upgrade_from"),
        ({"name": "17.10"}, "version.name"),
        ({"active": "yes"}, "version.active"),
        ({"image_tags": ["a"] * 6}, "version.image_tags"),
        ({"image_tags": ["postgresql"]}, "not both"),
        ({"image": None, "image_tags": ["of", "none"]}, "tags: of, none"),
        ({"extra": 1}, "version.extra"),
    ],
)
def test_bad_registrations_name_the_field_and_leave_nothing(admin, more, field):
    before = admin.simulate_get(MGMT).json
    refused = admin.simulate_post(MGMT, json=new(**more))
    assert refused.status_code == 400
    assert field in refused.json["badRequest"]["message"]
    assert admin.simulate_get(MGMT).json == before


def test_a_version_is_changed_without_an_envelope(admin, acme):
    version_id = find(admin, "17.10")["id"]
    change = {"active": False, "image": "sha256:new", "upgrade_from": ["<17"], "datastore_manager": "pg"}
    answer = admin.simulate_patch(f"{MGMT}/{version_id}", json=change)
    assert (answer.status_code, answer.content) == (202, b"")
    assert find(admin, "17.10").items() >= change.items()
    assert acme.simulate_get(f"{DATASTORES}/postgresql/versions/17.10").status_code == 404
    assert admin.simulate_get(f"{DATASTORES}/postgresql/versions/17.10").status_code == 200
    names = [row["name"] for row in acme.simulate_get(f"{DATASTORES}/postgresql/versions").json["versions"]]
    assert names == ["16.4", "18.6"]


def test_tags_take_the_place_of_an_image_and_an_image_that_of_tags(own_door, admin):
    assert admin.simulate_post(MGMT, json=new(image=None, image_tags=["postgresql"])).status_code == 202
    shown = find(admin, "15.8")
    assert (shown["image"], shown["image_tags"]) == ("sha256:tagged", ["postgresql"])
    path = f"{MGMT}/{shown['id']}"
    assert admin.simulate_patch(path, json={"image_tags": ["of", "none"]}).status_code == 400
    assert admin.simulate_patch(path, json={"image": "sha256:other"}).status_code == 202
    shown = find(admin, "15.8")
    assert (shown["image"], shown["image_tags"]) == ("sha256:other", [])
    assert admin.simulate_patch(path, json={"image_tags": ["postgresql"]}).status_code == 202
    assert find(admin, "15.8")["image"] == "sha256:tagged"


def test_the_default_can_be_chosen_and_given_up(own_door, admin, acme):
    chosen = f"{MGMT}/{own_door.versions['16.4']}"
    for default, seen in ((True, "16.4"), (False, "18.6")):
        assert admin.simulate_patch(chosen, json={"default": default}).status_code == 202
        shown = acme.simulate_get(f"{DATASTORES}/postgresql").json["datastore"]
        assert shown["default_version"] == own_door.versions[seen]


@pytest.mark.parametrize(
    "change", [{"name": "18.6"}, {"active": None}, {"upgrade_from": ["x"]}, {"version": "1"}, {"name": ""}]
)
def test_bad_changes_are_refused_whole(own_door, admin, change):
    path = f"{MGMT}/{own_door.versions['17.10']}"
    before = admin.simulate_get(path).json
    assert admin.simulate_patch(path, json={"image": "sha256:new"} | change).status_code == 400
    assert admin.simulate_get(path).json == before


def test_a_version_in_use_stays(own_door, admin, acme):
    instance_id = own_door.create(version="17.10")
    own_door.settle(instance_id)
    upgrade = {"instance": {"datastore_version": "18.6"}}
    assert acme.simulate_patch(f"/v1.0/acme/instances/{instance_id}", json=upgrade).status_code == 202
    for name in ("17.10", "18.6"):  # the one it has, and the one it is on its way to
        refused = admin.simulate_delete(f"{MGMT}/{own_door.versions[name]}")
        assert refused.status_code == 400
        assert "in use" in refused.json["badRequest"]["message"]
    assert admin.simulate_delete(f"{MGMT}/{own_door.versions['16.4']}").status_code == 202
    assert admin.simulate_get(f"{MGMT}/{own_door.versions['16.4']}").status_code == 404


def test_a_datastore_goes_only_when_it_is_empty_and_only_by_an_operator(own_door, admin, acme):
    path = f"{DATASTORES}/postgresql"
    assert acme.simulate_delete(path).status_code == 403
    assert "18.6" in admin.simulate_delete(path).json["badRequest"]["message"]
    for version_id in own_door.versions.values():
        assert admin.simulate_delete(f"{MGMT}/{version_id}").status_code == 202
    assert admin.simulate_delete(path).status_code == 202
    assert admin.simulate_get(path).status_code == 404


def test_flavors_have_a_null_id_unless_it_is_a_number(acme):
    flavors = acme.simulate_get("/v1.0/acme/flavors").json["flavors"]
    assert [(flavor["id"], flavor["str_id"]) for flavor in flavors] == [(1, "1"), (None, "m.large")]
    assert acme.simulate_get("/v1.0/acme/flavors/m.large").json["flavor"] == flavors[1]
    assert acme.simulate_get("/v1.0/acme/flavors/2").status_code == 404
    of_version = acme.simulate_get(f"{DATASTORES}/postgresql/versions/18.6/flavors").json["flavors"]
    assert of_version == flavors


def test_limits_are_none(acme):
    (absolute,) = acme.simulate_get("/v1.0/acme/limits").json["limits"]
    assert absolute["verb"] == "ABSOLUTE"
    assert absolute["max_instances"] == -1
