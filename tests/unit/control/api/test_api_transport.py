"""What holds for every request and answer."""

import json
import re

import pytest
from falcon import testing

from instar.control.api import bodies

INSTANCES = "/v1.0/acme/instances"
ENVELOPE = {"code", "message"}


@pytest.fixture
def acme(door):
    return door.as_("acme-token")


def problem(answer, status, fault):
    """Check an error's envelope, and give its message."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert list(answer.json) == [fault]
    assert answer.json[fault].keys() >= ENVELOPE
    assert answer.json[fault]["code"] == status
    return answer.json[fault]["message"]


def test_an_accepted_change_has_no_body_and_still_a_type(door, acme):
    instance_id = door.create()
    answer = acme.simulate_patch(f"{INSTANCES}/{instance_id}", json={"instance": {"name": "other"}})
    assert (answer.status_code, answer.content) == (202, b"")
    assert answer.headers["content-type"] == "application/json"


def test_every_answer_names_the_request(acme):
    for path in ("/", INSTANCES, "/nowhere", f"{INSTANCES}?limit=x"):
        assert re.fullmatch(r"req-[0-9a-f-]{36}", acme.simulate_get(path).headers["x-openstack-request-id"])


def test_a_request_id_is_taken_over_only_when_it_looks_like_one(acme):
    good = "req-01234567-89ab-cdef-0123-456789abcdef"
    for given, kept in ((good, True), ("req-\u00e4", False), ("req-" + "x" * 36, False), (good + "0", False)):
        answer = acme.simulate_get("/", headers={"X-Openstack-Request-Id": given})
        assert (answer.headers["x-openstack-request-id"] == given) is kept


@pytest.mark.parametrize("path", ["//v1.0//acme///instances//{}", "/v1.0/acme/instances/{}/"])
def test_doubled_and_trailing_slashes_are_forgiven(door, acme, path):
    instance_id = door.create()
    assert acme.simulate_get(path.format(instance_id)).json["instance"]["id"] == instance_id


def test_unknown_routes_and_verbs_get_envelopes(acme):
    assert "Not Found" in problem(acme.simulate_get("/v2/acme/instances"), 404, "itemNotFound")
    refused = acme.simulate_post("/v1.0/acme/flavors")
    problem(refused, 405, "badMethod")
    assert "GET" in refused.headers["allow"]


def test_head_is_get_without_the_body(acme):
    assert (acme.simulate_head(INSTANCES).status_code, acme.simulate_head(INSTANCES).content) == (200, b"")


@pytest.mark.parametrize(("version", "status"), [("1.0", 200), ("2.0", 406), ("x", 406)])
def test_the_version_is_negotiated_by_accept(acme, version, status):
    accept = f"application/vnd.openstack.trove+json; version={version}"
    assert acme.simulate_get(INSTANCES, headers={"Accept": accept}).status_code == status


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "not valid JSON"),
        (b"nonsense", "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (b'{"instance": NaN}', "not valid JSON"),
        (b'{"instance": {"name": "\\ud800"}}', "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"a":' * 100_000, "not valid JSON"),
        (b'{"instance": {"name": "a", "volume": {"size": ' + b"9" * 5000 + b"}}}", "not valid JSON"),
        (b'{"instance": {"name": "a\\u0000b"}}', "body.instance.name: holds a NUL"),
        (b"[]", "body: "),
        (b"null", "body: "),
        (b'"text"', "body: "),
        (b"", "instance: Field required"),
        (b"  ", "instance: Field required"),
        (b'{"instance": {"name": "a", "surprise": 1}}', "instance.surprise: Extra inputs"),
        (b'{"instance": {"name": 7, "volume": {"size": 0}}}', "instance.volume.size: "),
        (b'{"instance": {"name": "a", "volume": {"size": true}}}', "instance.volume.size: must be a whole"),
        (b'{"instance": {"name": "a", "access": {"is_public": "1"}}}', "instance.access.is_public: "),
        (b'{"instance": {"name": "' + b"x" * 256 + b'"}}', "instance.name: "),
    ],
)
def test_bad_bodies_are_refused_by_name(acme, body, said):
    assert said in problem(acme.simulate_post(INSTANCES, body=body), 400, "badRequest")


def test_all_mistakes_are_told_at_once_and_no_password_is_repeated(acme):
    users = [{"name": "", "password": ["s3cret"]}]
    body = {"instance": {"name": "", "flavorRef": [], "users": users}}
    told = problem(acme.simulate_post(INSTANCES, json=body), 400, "badRequest")
    for field in (
        "instance.name",
        "instance.flavorRef",
        "instance.users.0.name",
        "instance.users.0.password",
    ):
        assert field in told
    assert "s3cret" not in told


def test_the_body_must_be_json_but_need_not_say_so(acme):
    body = json.dumps({"instance": {"name": "a"}})
    refused = acme.simulate_post(INSTANCES, body=body, headers={"Content-Type": "text/xml"})
    problem(refused, 415, "badMediaType")
    assert "instance.volume" in problem(acme.simulate_post(INSTANCES, body=body), 400, "badRequest")


def test_a_huge_body_is_refused_whether_or_not_its_length_was_told(door, acme):
    huge = b" " * (bodies.LIMIT + 1)
    problem(acme.simulate_post(INSTANCES, body=huge), 413, "overLimit")
    chunked = testing.create_environ(
        INSTANCES, method="POST", body=huge, headers={"X-Auth-Token": "acme-token"}
    )
    del chunked["CONTENT_LENGTH"]
    chunked["wsgi.input_terminated"] = True
    status = testing.StartResponseMock()
    b"".join(door.app(chunked, status))
    assert status.status.startswith("413")


@pytest.mark.parametrize(
    "path",
    [
        "/v1.0/acme/instances/../../etc/passwd",
        "/v1.0/acme/instances/%2e%2e%2fadmin",
        "/v1.0/acme/instances/" + "x" * 20_000,
        "/v1.0/acme/instances/%ff%fe",
        "/v1.0/acme/instances/nobody.json",
        "/v1.0/acme/instances/\u2603",
        "/v1.0/acme/datastores/' OR 1=1 --",
        "/v1.0/acme/operations/%25",
        "/v1.0//",
        "/v1.0/acme/instances;x=1",
    ],
)
def test_path_tricks_find_nothing(acme, path):
    assert acme.simulate_get(path).status_code in (403, 404)


def test_nul_characters_in_urls_are_refused(acme):
    for url in (f"{INSTANCES}/a%00b", f"{INSTANCES}?marker=%00"):
        problem(acme.simulate_get(url), 400, "badRequest")


@pytest.mark.parametrize("query", ["limit=x", "limit=-1", "limit=1.5", "limit=" + "9" * 400, "marker=nobody"])
def test_bad_pages_are_refused_by_name(acme, query):
    message = problem(acme.simulate_get(INSTANCES, query_string=query), 400, "badRequest")
    assert query.partition("=")[0] in message


def test_what_a_query_does_not_know_is_ignored(acme):
    query = "include_clustered=False&limit=5&limit=2&whatever=1"
    assert acme.simulate_get(INSTANCES, query_string=query).status_code == 200


def test_an_unexpected_error_is_logged_under_the_id_it_is_answered_with(door, acme, monkeypatch, caplog):
    monkeypatch.setattr(door.store, "ping", lambda: {}["the secret cause"])
    message = problem(acme.simulate_get("/healthcheck"), 500, "instanceFault")
    mark = re.search(r"\(([0-9a-f-]{36})\)", message)
    assert mark is not None
    assert mark[1] in caplog.text
    assert "secret cause" in caplog.text
    assert "secret cause" not in message


def test_health_says_503_while_the_store_is_away(own_door, tmp_path):
    acme = own_door.as_("acme-token")
    assert acme.simulate_get("/healthcheck").json == {"status": "OK"}
    own_door.store.close()
    for file in tmp_path.iterdir():
        file.unlink()
    tmp_path.rmdir()
    message = problem(acme.simulate_get("/healthcheck"), 503, "serviceUnavailable")
    assert "Traceback" not in message
    tmp_path.mkdir()
