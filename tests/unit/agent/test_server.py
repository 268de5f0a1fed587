import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from certificates import Authority
from instar.agent import hooks, tls
from instar.agent.datastores.base import Datastore, Report
from instar.agent.jobs import Jobs
from instar.agent.server import Api, make_server
from instar.wire.agent import AgentInfo, DatabaseSpec, DatabaseStatus, JobView
from instar.wire.errors import ErrorBody, GuestError
from instar.wire.states import JobState, ServiceStatus


class Toy(Datastore):
    """A datastore of a few hooks."""

    name = "toy"

    def start(self, report: Report) -> dict[str, Any]:
        return {"started": True}

    def status(self) -> DatabaseStatus:
        return DatabaseStatus(status=ServiceStatus.HEALTHY)

    def create_databases(self, databases: list[DatabaseSpec]) -> None:
        if databases[0].name == "bug":
            raise ZeroDivisionError("bug")


class Client:
    def __init__(self, url: str, authority: Authority, name: str = tls.CONTROL_PLANE) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False
        certificate, key = authority.issue(name)
        self.session.cert = (str(certificate), str(key))
        self.session.verify = str(authority.certificate)

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.session.request(method, self.url + path, timeout=15, **options)

    def refusal(self, method: str, path: str, **options: Any) -> tuple[int, ErrorBody]:
        answer = self.ask(method, path, **options)
        return answer.status_code, ErrorBody.model_validate(answer.json())


@pytest.fixture(scope="module")
def url(lasting_root: Path) -> Iterator[str]:
    datastore = Toy()
    jobs = Jobs(lasting_root / "jobs", lambda hook, params: hooks.bind(datastore, hook, params))
    info = AgentInfo(
        agent_version="1", instance_id="i-1", boot_id="b", manager="toy", image_digest="d", engine_version="1"
    )
    server = make_server("127.0.0.1", 0, Api(info, datastore, jobs), tls.server_context(lasting_root))
    server.expiration_interval = 0.02  # how often it looks whether it is to stop
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{server.bind_addr[1]}"
    server.stop()
    thread.join(10)


@pytest.fixture
def client(url: str, authority: Authority) -> Iterator[Client]:
    client = Client(url, authority)
    yield client
    client.session.close()


def test_tells_who_answers_and_how_the_database_is(client: Client) -> None:
    assert client.ask("GET", "/").json()["instance_id"] == "i-1"
    assert client.ask("GET", "/status").json()["status"] == "HEALTHY"


def test_job_by_way_of_the_wire(client: Client) -> None:
    assert client.ask("GET", "/jobs/j").json()["state"] == JobState.NOT_STARTED
    client.ask("PUT", "/jobs/j", json={"hook": "start"})
    view = JobView.model_validate(client.ask("GET", "/jobs/j?wait=10").json())
    assert (view.state, view.result) == (JobState.SUCCEEDED, {"started": True})


def test_hook_that_the_datastore_lacks(client: Client) -> None:
    client.ask("PUT", "/jobs/lacking", json={"hook": "restart"})
    view = JobView.model_validate(client.ask("GET", "/jobs/lacking?wait=10").json())
    assert view.error is not None
    assert (view.error.code, "restart" in view.error.brief) == ("not_supported", True)


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "told"),
    [
        ("GET", "/nowhere", {}, 404, "/nowhere"),
        ("DELETE", "/status", {}, 405, "GET"),
        ("PUT", "/jobs/a%2Fb", {"json": {"hook": "start"}}, 400, "job id"),
        ("PUT", "/jobs/new", {"json": {"hook": "__init__"}}, 404, "__init__"),
        ("PUT", "/jobs/new", {"json": {"hook": "status"}}, 404, "status"),
        ("PUT", "/jobs/new", {"json": {}}, 400, "hook"),
        ("PUT", "/jobs/new", {"json": {"hook": "post_upgrade"}}, 400, "upgrade_info"),
        ("PUT", "/jobs/new", {"data": "{"}, 415, "JSON"),
        ("PUT", "/jobs/new", {"data": "[" * 100_000}, 415, "JSON"),
        ("PUT", "/jobs/new", {"json": []}, 400, "object"),
        ("GET", "/jobs/j?wait=soon", {}, 400, "wait"),
        ("POST", "/calls/start", {}, 404, "start"),
        ("POST", "/calls/shut_down", {}, 404, "shut_down"),
        ("POST", "/calls/create_databases", {"json": {"databases": [{}]}}, 400, "databases.0.name"),
        ("POST", "/calls/list_users", {}, 501, "list_users"),
        (
            "POST",
            "/calls/create_databases",
            {"json": {"databases": [{"name": "bug"}]}},
            500,
            "ZeroDivisionError",
        ),
        ("POST", "/calls/status", {"data": b" " * ((1 << 20) + 1)}, 413, "1048576"),
        ("POST", "/calls/status", {"data": iter([b" " * (1 << 20), b"  "])}, 413, "1048576"),
    ],
)
def test_refusals(client: Client, method: str, path: str, options: Any, status: int, told: str) -> None:
    found, body = client.refusal(method, path, **options)
    assert (found, told in body.sentence()) == (status, True), body
    assert "Traceback" not in body.model_dump_json()


def test_wrong_values_are_not_repeated_in_the_error(client: Client) -> None:
    users = [{"name": 5, "password": "secret"}, {"name": "a", "password": {"secret": 1}}]
    _, body = client.refusal("POST", "/calls/create_users", json={"users": users})
    assert "users.0.name" in body.brief
    assert "secret" not in body.model_dump_json()


def test_other_certificates_of_the_authority_are_forbidden(url: str, authority: Authority) -> None:
    status, body = Client(url, authority, "i-1").refusal("GET", "/")
    assert (status, body.code) == (403, "forbidden")


def test_other_authorities_and_no_certificate_are_refused(
    url: str, authority: Authority, tmp_path: Path
) -> None:
    stranger = Client(url, Authority(tmp_path / "other"))
    stranger.session.verify = str(authority.certificate)
    with pytest.raises(requests.ConnectionError):
        stranger.ask("GET", "/")
    with pytest.raises(requests.ConnectionError):
        requests.get(url, verify=str(authority.certificate), timeout=5)


def test_old_tls_is_refused(root: Path) -> None:
    assert tls.server_context(root).minimum_version >= ssl.TLSVersion.TLSv1_2


def test_silent_peers_hold_up_nobody(url: str, client: Client) -> None:
    port = int(url.rsplit(":", 1)[1])
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(8)]
    assert client.ask("GET", "/").status_code == 200
    for each in silent:
        each.close()


def test_address_that_is_taken_is_told(root: Path, url: str) -> None:
    port = int(url.rsplit(":", 1)[1])
    with pytest.raises(GuestError, match=f"127.0.0.1 port {port}"):
        make_server("127.0.0.1", port, None, tls.server_context(root))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["agent.key", "agent.crt", "ca.crt"])
def test_certificate_files_that_are_bad_are_named(root: Path, name: str) -> None:
    (root / "etc/instar/tls" / name).write_text("nonsense")
    with pytest.raises(GuestError, match=name):
        tls.server_context(root)
