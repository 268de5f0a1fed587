"""Who is let in, and what each may see."""

import json
import stat

import pytest
from falcon import testing

from instar.control.api import auth, tokens
from instar.control.api.tokens import Holder
from instar.wire.errors import InstarError

INSTANCES = "/v1.0/acme/instances"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Auth-Token": ""},
        {"X-Auth-Token": "acme-toke"},
        {"X-Auth-Token": "Acme-token"},
        {"X-Auth-Token": "\u00e4\u00ff"},
        {"X-Identity-Status": "Confirmed", "X-Project-Id": "acme", "X-Roles": "admin"},
    ],
)
def test_without_a_valid_token_there_is_no_entry(door, headers):
    environ = testing.create_environ(INSTANCES, headers=headers)
    status = testing.StartResponseMock()
    body = json.loads(b"".join(door.app(environ, status)))
    assert status.status == "401 Unauthorized"
    assert body["unauthorized"]["code"] == 401


def test_a_token_that_nobody_could_be_asked_about_is_not_called_invalid(door):
    environ = {**testing.create_environ(INSTANCES, headers={"X-Auth-Token": "x"}), auth.UNHEARD: True}
    status = testing.StartResponseMock()
    body = json.loads(b"".join(door.app(environ, status)))
    assert status.status == "503 Service Unavailable"
    assert "identity service does not answer" in body["serviceUnavailable"]["message"]
    assert body["serviceUnavailable"]["error"]["retryable"] is True


@pytest.mark.parametrize("path", ["/", "/v1.0/", "/healthcheck", "/openapi.json"])
def test_some_things_need_no_token(door, path):
    assert testing.TestClient(door.app).simulate_get(path).status_code == 200


def test_another_projects_path_is_forbidden(door):
    answer = door.as_("rival-token").simulate_get(INSTANCES)
    assert answer.status_code == 403
    assert "User with tenant id rival cannot access this resource" in answer.json["forbidden"]["message"]


def test_another_projects_things_cannot_be_found_or_touched(door):
    """Every route that names an instance or an operation answers a stranger as if there were none."""
    instance_id = door.create()
    rival = door.as_("rival-token")
    (operation,) = (
        door.as_("acme-token").simulate_get(f"{INSTANCES}/{instance_id}/operations").json["operations"]
    )
    one, job = f"/v1.0/rival/instances/{instance_id}", f"/v1.0/rival/operations/{operation['id']}"
    tries = [
        ("GET", one, None),
        ("PATCH", one, {"instance": {"datastore_version": "18.6"}}),
        ("PUT", one, {"instance": {"name": "mine"}}),
        ("DELETE", one, None),
        ("POST", f"{one}/action", {"restart": {}}),
        ("GET", f"{one}/versions", None),
        ("GET", f"{one}/operations", None),
        ("GET", f"{one}/databases", None),
        ("POST", f"{one}/users", {"users": [{"name": "a", "password": "b"}]}),
        ("GET", f"{one}/root", None),
        ("GET", job, None),
        ("GET", f"{job}/events", None),
        ("POST", f"{job}/action", {"resume": {}}),
    ]
    assert {rival.simulate_request(verb, path, json=body).status_code for verb, path, body in tries} == {404}
    assert rival.simulate_get("/v1.0/rival/instances").json == {"instances": []}
    assert rival.simulate_get("/v1.0/rival/instances", params={"marker": instance_id}).status_code == 400


def test_an_administrator_reaches_any_projects_things_by_their_ids(door):
    """As in Trove, whose clients delete by force from an administrator's own project."""
    instance_id, operator = door.create(), door.as_("operator-token")
    one = f"/v1.0/ops/instances/{instance_id}"
    assert operator.simulate_get(one).json["instance"]["tenant_id"] == "acme"
    (operation,) = operator.simulate_get(f"{one}/operations").json["operations"]
    assert operator.simulate_get(f"/v1.0/ops/operations/{operation['id']}").status_code == 200
    assert operator.simulate_put(one, json={"instance": {"name": "found"}}).status_code == 202
    assert (
        door.as_("acme-token").simulate_get(f"{INSTANCES}/{instance_id}").json["instance"]["name"] == "found"
    )
    assert operator.simulate_get("/v1.0/ops/instances").json == {"instances": []}


def test_management_answers_401_to_everybody_else(door):
    member, admin = door.as_("acme-token"), door.as_("admin-token")
    for path in ("/v1.0/acme/mgmt/instances", "/v1.0/acme/mgmt/datastore-versions"):
        refused = member.simulate_get(path)
        assert refused.status_code == 401
        assert "does not have admin privileges" in refused.json["unauthorized"]["message"]
        assert admin.simulate_get(path).status_code == 200


def test_a_policy_that_says_no_is_a_403(door):
    instance_id = door.create()
    refused = door.as_("acme-token").simulate_post(
        f"{INSTANCES}/{instance_id}/action", json={"reset_status": {}}
    )
    assert refused.status_code == 403
    assert "instance:reset_status" in refused.json["forbidden"]["message"]


def test_only_operators_see_whose_and_on_which_image(door):
    instance_id = door.create()
    seen = door.as_("acme-token").simulate_get(f"{INSTANCES}/{instance_id}").json["instance"]
    assert "tenant_id" not in seen
    assert (
        door.as_("admin-token").simulate_get(f"{INSTANCES}/{instance_id}").json["instance"]["tenant_id"]
        == "acme"
    )
    version = (
        door.as_("acme-token").simulate_get("/v1.0/acme/datastores/postgresql/versions/18.6").json["version"]
    )
    assert "image" not in version


def test_a_token_file_is_made_once_and_for_its_owner_only(tmp_path):
    path = tmp_path / "tokens.json"
    made = tokens.ensure(path, Holder(project="p", user="admin", roles=["admin"]))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert tokens.ensure(path, Holder(project="q", user="x")) == made
    ((token, holder),) = made.items()
    assert len(token) >= 32
    assert holder.project == "p"


def test_a_damaged_token_file_says_so_without_its_content(tmp_path):
    path = tmp_path / "tokens.json"
    path.write_text('{"s3cret": {"project": 1}}')
    with pytest.raises(InstarError, match="can't be read") as refusal:
        tokens.read(path)
    assert "s3cret" not in str(refusal.value)
