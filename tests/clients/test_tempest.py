"""Trove's own tempest tests against real databases: `docs/compatibility.rst` tells which pass."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tempest_plugin import Target, Tempest, tempest

import keystone_server
import real_control_plane
from guest_images import Images
from instar.client import Client
from keystone_server import PASSWORD, REGION, Keystone
from real_control_plane import ControlPlane

pytestmark = pytest.mark.live


@dataclass
class InCatalogue(ControlPlane):
    """A control plane that asks a Keystone, and is in its catalogue."""

    keystone: Keystone | None = None

    def configure(self, store_url: str | None = None) -> None:
        """Write `instar.conf` with Keystone's sections."""
        assert self.keystone
        super().configure(store_url)
        file = self.home / "instar.conf"
        api, _, rest = self.keystone.authtoken().partition("[keystone_authtoken]")
        text = file.read_text().replace("[api]\n", api)
        file.write_text(f"{text}[keystone_authtoken]{rest}")
        self.keystone.register(f"http://127.0.0.1:{self.port}")

    @property
    def client(self) -> Client:
        """An administrator's client."""
        assert self.keystone
        return Client(session=self.keystone.session("root", "acme"), region_name=REGION)


@pytest.fixture(scope="module")
def postgresql(images: Images, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tempest]:
    """Tempest, set for a control plane with real PostgreSQL."""
    with keystone_server.keystone() as keystone:

        def kind(home: Path, images: Images) -> ControlPlane:
            return InCatalogue(home, images, keystone=keystone)

        with real_control_plane.installed(images, "serve", kind=kind):
            target = Target(keystone.url, PASSWORD, REGION, "postgresql", "18.6", "17.10")
            yield tempest(tmp_path_factory.mktemp("tempest"), target)


def test_the_basic_tests_of_postgresql_pass(postgresql: Tempest) -> None:
    outcomes = postgresql.run("test_instance_basic.TestInstanceBasicPostgreSQL")
    names = ("test_configuration", "test_database_access", "test_root_disable", "test_user_database")
    assert outcomes == dict.fromkeys(names, "ok")
