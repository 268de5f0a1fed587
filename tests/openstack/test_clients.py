"""Users' own clients against whole systems on the lab's cloud: `openstack database`, `trove`, the SDK."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from cloud_plane import PATIENCE, both_releases, facts
from in_catalogue import REGION, InCatalogue, account_of

import lab_cloud
import real_control_plane
from clients.stock_clients import StockClients, account, stock_clients
from real_engines import CONTAINED_POSTGRESQL as ENGINE
from real_instance import DATABASE, USER, RealInstance
from virtual_machines import MISSING, can_emulate
from waiting import until

pytestmark = pytest.mark.skipif(not can_emulate(), reason=MISSING)
DB, PASSWORD = "database", "a-word"


@dataclass
class Shop:
    """An instance that an administrator made with `openstack database`."""

    clients: StockClients
    instance: RealInstance

    def settle(self) -> dict[str, Any]:
        """Look until it is at rest; gives what is shown then."""

        def look() -> dict[str, Any] | None:
            found = self.clients.fields(DB, "instance", "show", self.instance.id)
            assert found["status"] not in ("ERROR", "FAILED"), found
            return found if (found["status"], found["operating_status"]) == ("ACTIVE", "HEALTHY") else None

        return until(look, PATIENCE) or {}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """An instance of the old release, at rest."""
    if lack := lab_cloud.why_not():
        pytest.skip(lack)
    lab = lab_cloud.the_lab()
    lab.clear()
    images = both_releases(lab, ENGINE)
    admin = account_of(lab, "admin", "admin")
    known = account(admin["auth_url"], "admin", "admin", password=admin["password"], region=REGION)
    with (
        real_control_plane.installed(images, "serve", kind=InCatalogue) as plane,
        stock_clients(known, tmp_path_factory.mktemp("admin")) as clients,
    ):
        for image in (images.old, images.new):
            plane.publish(image)
        what = ["--flavor", "1", "--size", "1", "--datastore", ENGINE.datastore]
        has = ["--databases", DATABASE, "--users", f"{USER}:{PASSWORD}"]
        made = clients.fields(
            DB, "instance", "create", "shop", *what, "--datastore-version", ENGINE.old, *has
        )
        shop = Shop(clients, RealInstance(plane, made["id"], PASSWORD, ENGINE))
        shop.settle()
        yield shop


def test_a_day_with_openstack_database(shop: Shop) -> None:
    """Users, a configuration, and an upgrade under a writer, after which the cloud has what it had."""
    openstack, instance = shop.clients.openstack, shop.instance
    openstack(DB, "user", "create", instance.id, "bob", "another-word", "--databases", DATABASE)
    assert {row["Name"] for row in shop.clients.table(DB, "user", "list", instance.id)} == {USER, "bob"}
    assert shop.clients.fields(DB, "root", "show", instance.id)["is_root_enabled"] is False
    version = ("--datastore", ENGINE.datastore, "--datastore-version", ENGINE.old)
    group = shop.clients.fields(DB, "configuration", "create", "web", '{"work_mem": "8MB"}', *version)["id"]
    openstack(DB, "configuration", "attach", instance.id, group)
    shop.settle()
    assert instance.ask("SHOW work_mem") == ["8MB"]
    openstack(DB, "configuration", "detach", instance.id)
    shop.settle()
    before = facts(instance, lab_cloud.the_lab())
    with instance.written_to():
        openstack(DB, "instance", "upgrade", instance.id, ENGINE.new)
        found = shop.settle()
    assert found["datastore_version"] == ENGINE.new
    assert facts(instance, lab_cloud.the_lab()) == before
    assert str(instance.ask(ENGINE.version)[0]).startswith(ENGINE.new)
    assert [row["Name"] for row in shop.clients.table(DB, "db", "list", instance.id)] == [DATABASE]


def test_an_hour_with_the_old_shell(shop: Shop) -> None:
    trove = shop.clients.trove
    assert shop.instance.id in trove("list")
    assert DATABASE in trove("database-list", "shop")
    assert "bob" in trove("user-list", "shop")
    trove("user-delete", "shop", "bob")
    trove("restart", "shop")
    shop.settle()
    assert shop.instance.is_healthy()


def test_a_script_with_the_sdk_ends_its_life(shop: Shop) -> None:
    ran = shop.clients.run("sdk_story:main", shop.instance.id, DATABASE)
    assert ran.status == 0, ran.err
    saw = ran.json
    assert (saw["databases"], saw["users"], saw["left"]) == ([DATABASE], [USER], [])
    assert (saw["renamed"], saw["gone"]) == ("renamed", True)
