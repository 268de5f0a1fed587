"""Callers that a real Keystone vouches for, before the API behind gunicorn."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

import keystone_server
from foreign_servers import foreign_server
from instar.client import Client
from instar.client.errors import NotFound
from instar.control.catalog import register
from instar.control.store.session import Store
from keystone_server import Keystone
from waiting import until
from world import manifest

pytestmark = pytest.mark.live
EXPIRATION = 30
_TOKEN = "X-Auth-Token"


class Cloud:
    """A Keystone with an API in its catalogue."""

    def __init__(self, keystone: Keystone, url: str, folder: Path) -> None:
        self.keystone, self.url, self.log = keystone, url, folder / "server.log"
        self.projects = keystone.register(url)

    def client(self, user: str, project: str = "acme") -> Client:
        """A client that finds the API in the catalogue."""
        return Client(session=self.keystone.session(user, project), region_name="here")

    def token(self, user: str = "alice", project: str = "acme") -> str:
        """A token that nobody has used yet."""
        return str(self.keystone.session(user, project).get_token())

    def get(self, path: str, token: str = "", **headers: str) -> requests.Response:
        """Ask the API."""
        return requests.get(f"{self.url}{path}", headers={_TOKEN: token, **headers}, timeout=120)

    @property
    def instances(self) -> str:
        """Where the instances of `acme` are."""
        return f"/v1.0/{self.projects['acme']}/instances"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """Keystone and the API; tokens last for `EXPIRATION` seconds."""
    folder = tmp_path_factory.mktemp("cloud")
    records = f"sqlite:///{folder / 'records.db'}"
    with (
        keystone_server.keystone(EXPIRATION) as keystone,
        foreign_server(folder, f"{keystone.authtoken()}[store]\nurl = {records}\n") as url,
    ):
        store = Store(records)
        with store.begin() as session:
            register.register_image(session, "sha256:17.10", manifest("17.10"))
        store.close()
        yield Cloud(keystone, url, folder)


def test_projects_are_kept_apart_and_administrators_see_all(cloud: Cloud) -> None:
    alice, mallory = cloud.client("alice"), cloud.client("mallory", "rival")
    made = alice.instances.create("db", flavor="1", volume_size=1, datastore="postgresql", version="17.10")
    assert [instance.id for instance in alice.instances.list()] == [made.id]
    assert list(mallory.instances.list()) == []
    with pytest.raises(NotFound):
        mallory.instances.get(made.id)
    assert cloud.get(cloud.instances, cloud.token("mallory", "rival")).status_code == 403
    every = f"/v1.0/{cloud.projects['acme']}/mgmt/instances"
    assert cloud.get(every, cloud.token("alice")).status_code == 401
    (told,) = cloud.get(every, cloud.token("root")).json()["instances"]
    assert (told["id"], told["tenant_id"]) == (made.id, cloud.projects["acme"])


def test_who_only_claims_to_be_somebody_is_nobody(cloud: Cloud) -> None:
    claims = {
        "X-Identity-Status": "Confirmed",
        "X-Project-Id": cloud.projects["acme"],
        "X-User-Id": "root",
        "X-Roles": "admin",
    }
    assert cloud.get(cloud.instances, "", **claims).status_code == 401
    every = f"/v1.0/{cloud.projects['acme']}/mgmt/instances"
    assert cloud.get(every, cloud.token("alice"), **claims).status_code == 401
    refused = cloud.get(cloud.instances, "gAAAAA-no-token-of-ours")
    assert (refused.status_code, refused.json()["unauthorized"]["code"]) == (401, 401)


def test_a_token_ends_with_its_time(cloud: Cloud) -> None:
    def fresh() -> str:
        token = cloud.token()
        return token if cloud.get(cloud.instances, token).status_code == 200 else ""

    token = until(fresh, 120)
    until(lambda: cloud.get(cloud.instances, token).status_code == 401, 120)


def test_a_keystone_that_is_away_is_said_to_be_away(cloud: Cloud) -> None:
    token = cloud.token()
    cloud.keystone.stop()
    answer = cloud.get(cloud.instances, token)
    assert answer.status_code == 503
    assert "identity service does not answer" in answer.json()["serviceUnavailable"]["message"]
    named = answer.headers["x-openstack-request-id"]
    assert re.search(r"Unable to validate token", cloud.log.read_text())
    assert any(named in line for line in cloud.log.read_text().splitlines() if "Unable to validate" in line)
    assert cloud.get("/", token).status_code == 200
    cloud.keystone.start()
    until(lambda: cloud.get(cloud.instances, cloud.token()).status_code == 200, 120)
