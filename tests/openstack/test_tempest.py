"""Trove's own tempest tests against whole systems on the lab's cloud (see `docs/compatibility.rst`)."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from cloud_plane import PATIENCE, CloudPlane, both_releases
from keystoneauth1 import session
from keystoneauth1.identity import v3

import lab_cloud
import real_control_plane
from clients.tempest_plugin import Target, Tempest, tempest
from instar.client import Client
from instar.wire.agent import Manifest
from lab_cloud import Lab
from real_engines import CONTAINED_POSTGRESQL, MARIADB, Engine
from virtual_machines import MISSING, can_emulate

pytestmark = pytest.mark.skipif(not can_emulate(), reason=MISSING)

SERVICE = "instar"
BASIC = dict.fromkeys(
    ("test_configuration", "test_database_access", "test_root_disable", "test_user_database"), "ok"
)


@dataclass
class InCatalogue(CloudPlane):
    """A control plane that asks the lab's Keystone, and is in its catalogue."""

    def configure(self, store_url: str | None = None) -> None:
        """Write `instar.conf` with Keystone's sections."""
        super().configure(store_url)
        enlist(self.lab, f"http://127.0.0.1:{self.port}/v1.0/%(project_id)s")
        account = account_of(self.lab, SERVICE, "service")
        lines = ["[keystone_authtoken]", "auth_type = password", *(f"{k} = {v}" for k, v in account.items())]
        file = self.home / "instar.conf"
        text = file.read_text().replace("[api]\n", "[api]\nauth = keystone\n")
        file.write_text("\n".join([text, *lines, ""]))

    @property
    def client(self) -> Client:
        """An administrator's client."""
        auth = v3.Password(**account_of(self.lab, "admin", "admin"))
        return Client(session=session.Session(auth=auth), region_name="RegionOne")

    def publish(self, image: Manifest) -> str:
        """Upload an image with the tests' account, and register its version with the administrator's."""
        found = self.upload(image, "--no-version")
        versions = {
            each.name: each
            for datastore in self.client.datastores.list()
            for each in datastore.versions
            if datastore.name == image.datastore
        }
        if version := versions.get(image.version_name):
            self.client.versions.update(version, image=found)
        else:
            self.client.versions.create(
                image.datastore, image.version_name, manager=image.manager, image=found
            )
        return found


def account_of(lab: Lab, user: str, project: str) -> dict[str, str]:
    """Give what an account of the lab logs in with; they all have its one password."""
    domains = {"user_domain_name": "Default", "project_domain_name": "Default"}
    url = lab.admin.config.config["auth"]["auth_url"]
    password = lab.admin.config.config["auth"]["password"]
    return {"auth_url": url, "username": user, "password": password, "project_name": project, **domains}


def enlist(lab: Lab, url: str) -> None:
    """Have an account of the control plane in Keystone, and the control plane in its catalogue at `url`."""
    identity = lab.admin.identity
    password = lab.admin.config.config["auth"]["password"]
    user = identity.find_user(SERVICE) or identity.create_user(
        name=SERVICE, domain_id="default", password=password
    )
    for role in ("admin", "service"):
        identity.assign_project_role_to_user(identity.find_project("service"), user, identity.find_role(role))
    service = identity.find_service(SERVICE) or identity.create_service(type="database", name=SERVICE)
    for endpoint in identity.endpoints(service_id=service.id):
        identity.delete_endpoint(endpoint)
    for interface in ("public", "internal", "admin"):
        identity.create_endpoint(service_id=service.id, region_id="RegionOne", interface=interface, url=url)


@pytest.fixture(scope="module", params=[CONTAINED_POSTGRESQL, MARIADB], ids=["postgresql", "mariadb"])
def target(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Tempest]]:
    """Tempest, set for a control plane on the lab, with an engine; with the name of its tests."""
    engine: Engine = request.param
    if lack := lab_cloud.why_not():
        pytest.skip(lack)
    lab = lab_cloud.the_lab()
    lab.clear()
    images = both_releases(lab, engine)
    with real_control_plane.installed(images, "serve", kind=InCatalogue) as plane:
        assert isinstance(plane, InCatalogue)
        _, image = plane.publish(images.old), plane.publish(images.new)
        account = account_of(lab, "admin", "admin")
        what = Target(
            keystone=account["auth_url"],
            password=account["password"],
            region="RegionOne",
            datastore=engine.datastore,
            version=engine.new,
            older=engine.old,
            image=image,
            cloud=True,
            patience=int(PATIENCE),
        )
        names = {"postgresql": "PostgreSQL", "mariadb": "MariaDB"}
        yield names[engine.datastore], tempest(tmp_path_factory.mktemp("tempest"), what)


def test_the_basic_tests_pass(target: tuple[str, Tempest]) -> None:
    name, runner = target
    assert runner.run(f"test_instance_basic.TestInstanceBasic{name}") == BASIC


def test_resize_and_rebuild_pass(target: tuple[str, Tempest]) -> None:
    """Its upgrades can't: they ask for another instance's password, or for a variable that is gone."""
    name, runner = target
    tests = ("test_rebuild", "test_resize")
    words = (f"test_instance_actions.TestInstanceActions{name}.{test}" for test in tests)
    assert runner.run(*words) == dict.fromkeys(tests, "ok")
