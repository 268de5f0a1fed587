"""What Trove's clients may call beside the daily calls: limits, quotas, logs, and what is not built."""

import pytest

from instar.control.api.unbuilt import UNBUILT

ACME = "/v1.0/acme"


@pytest.mark.parametrize("route", UNBUILT, ids=lambda route: f"{route.method} {route.path}")
def test_a_call_that_is_not_built_is_known_and_says_why(door, route):
    path = route.template.format_map({"project": "acme"} | dict.fromkeys(
        ("instance_id", "backup_id", "module_id", "cluster_id"), "0"))  # fmt: skip
    answer = door.as_("admin-token").simulate_request(route.method, path, json={"anything": {}})
    assert answer.status_code == 501
    problem = answer.json["notImplemented"]
    assert "does not serve this call" in problem["message"]
    assert len(problem["error"]["seen"]) > 20
    assert door.as_("no-token").simulate_request(route.method, path).status_code == 401


def test_limits_are_the_projects_own(own_door):
    def limits(token, project):
        (told,) = own_door.as_(token).simulate_get(f"/v1.0/{project}/limits").json["limits"]
        return told

    unlimited = dict.fromkeys(("max_instances", "max_ram", "max_backups", "max_volumes"), -1)
    assert limits("acme-token", "acme") == {"verb": "ABSOLUTE", **unlimited}
    own_door.as_("admin-token").simulate_put(f"{ACME}/mgmt/quotas/acme", json={"quotas": {"instances": 3}})
    assert limits("acme-token", "acme") == {"verb": "ABSOLUTE", **unlimited, "max_instances": 3}
    assert limits("rival-token", "rival") == {"verb": "ABSOLUTE", **unlimited}


def test_who_may_see_and_set_quotas(door):
    path = f"{ACME}/mgmt/quotas"
    body = {"quotas": {"volumes": 5}}
    acme, admin = door.as_("acme-token"), door.as_("admin-token")
    assert acme.simulate_get(f"{path}/acme").status_code == 200
    assert acme.simulate_get(f"{path}/rival").status_code == 403
    assert acme.simulate_put(f"{path}/acme", json=body).status_code == 401
    answer = admin.simulate_put(f"{path}/rival", json=body)
    assert (answer.status_code, answer.json) == (200, body)
    shown = admin.simulate_get(f"{path}/rival").json["quotas"]
    assert {"resource": "volumes", "in_use": 0, "reserved": 0, "limit": 5} in shown
    assert admin.simulate_put(f"{path}/rival", json={"quotas": {"hosts": 1}}).status_code == 404
    assert admin.simulate_put(f"{path}/rival", json={"quotas": {"ram": True}}).status_code == 400
    assert admin.simulate_put(f"{path}/rival", json={"quotas": {"ram": -2}}).status_code == 400


def test_a_quota_that_is_reached_answers_413(own_door):
    own_door.as_("admin-token").simulate_put(f"{ACME}/mgmt/quotas/acme", json={"quotas": {"instances": 1}})
    own_door.create()
    body = {"instance": {"name": "x", "flavorRef": "1", "volume": {"size": 1}}}
    answer = own_door.as_("acme-token").simulate_post(f"{ACME}/instances", json=body)
    assert answer.status_code == 413
    assert answer.json["overLimit"]["message"].startswith("Quota exceeded for resources: ['instances'].")


def test_logs_are_listed_and_can_not_be_published(door):
    path = f"{ACME}/instances/{door.create()}/log"
    told = door.as_("acme-token").simulate_get(path).json["logs"]
    assert told == [
        {"name": "general", "type": "USER", "status": "Unavailable", "published": 0, "pending": 0,
         "container": None, "prefix": None, "metafile": None}
    ]  # fmt: skip
    names = [log["name"] for log in door.as_("admin-token").simulate_get(path).json["logs"]]
    assert names == ["general", "guest"]
    body = {"name": "general", "publish": 1}
    assert door.as_("acme-token").simulate_post(path, json=body).status_code == 501
    missing = f"{ACME}/instances/{'0' * 8}-0000-0000-0000-{'0' * 12}/log"
    assert door.as_("acme-token").simulate_get(missing).status_code == 404


@pytest.mark.parametrize(
    ("action", "status"),
    [
        ({"reboot": {}}, 202),
        ({"stop": {}}, 202),
        ({"reset-task-status": {}}, 202),
        ({"rebuild": {"image_id": "sha256:17.10"}}, 202),
        ({"rebuild": {}}, 202),
        ({"rebuild": {"image_id": 1}}, 400),
        ({"rebuild": {"image": "x"}}, 400),
        ({"stop": {"hard": True}}, 400),
        ({"migrate": {"host": "h"}}, 501),
        ({"update": {}}, 400),
    ],
)
def test_administrators_act_on_the_instances_of_any_project(own_door, action, status):
    instance_id = own_door.create(token="rival-token")
    own_door.settle(instance_id)
    path = f"{ACME}/mgmt/instances/{instance_id}/action"
    assert own_door.as_("acme-token").simulate_post(path, json=action).status_code == 401
    answer = own_door.as_("admin-token").simulate_post(path, json=action)
    assert answer.status_code == status
    assert status != 202 or answer.content == b""


def test_an_owner_may_not_reset_a_status_and_may_delete_by_force(own_door):
    path = f"{ACME}/instances/{own_door.create()}/action"
    acme, admin = own_door.as_("acme-token"), own_door.as_("admin-token")
    assert acme.simulate_post(path, json={"reset_status": {}}).status_code == 403
    assert admin.simulate_post(path, json={"reset_status": {"hard": 1}}).status_code == 400
    assert admin.simulate_post(path, json={"reset_status": {}}).status_code == 202
    assert acme.simulate_delete(path.removesuffix("/action")).status_code == 202
    assert acme.simulate_post(path, json={"force_delete": {}}).status_code == 202


def test_an_operator_sees_the_whole_instance_also_when_it_is_gone(own_door):
    instance_id = own_door.create(token="rival-token")
    server = {"provider": "fake", "v": 1, "id": "s-1"}
    own_door.settle(instance_id, server=server, volume_id="v-1", root_enabled=0.0, root_enabled_by="mallory")
    admin, path = own_door.as_("admin-token"), f"{ACME}/mgmt/instances/{instance_id}"
    shown = admin.simulate_get(path).json["instance"]
    assert shown["server"] == {"id": "s-1", "name": f"instar-{instance_id}", "tenant_id": "rival"}
    assert (shown["server_id"], shown["root_enabled"], shown["root_enabled_by"]) == ("s-1", True, "mallory")
    assert shown["volume"] == {"size": 1, "id": "v-1", "total": 1, "attachments": [{"server_id": "s-1"}]}
    history = admin.simulate_get(f"{path}/root").json["root_history"]
    assert history == {"id": instance_id, "enabled": "1970-01-01T00:00:00", "user": "mallory"}
    own_door.settle(instance_id, deleted=True, status="DELETED", root_enabled=None, root_enabled_by=None)
    assert admin.simulate_get(path).status_code == 404
    gone = admin.simulate_get(path, params={"deleted": "True"}).json["instance"]
    assert (gone["deleted"], gone["status"]) == (True, "DELETED")
