"""`openstack database ...` from python-troveclient, one user's whole day."""

from typing import Any

import pytest
from served import Served
from stock_clients import StockClients

from waiting import until

pytestmark = pytest.mark.live
DB = "database"


def shown(clients: StockClients, instance: str) -> dict[str, Any]:
    return clients.fields(DB, "instance", "show", instance)


def settle(clients: StockClients, instance: str, status: str = "ACTIVE") -> dict[str, Any]:
    """Look until an instance is at rest, as a script of a user's would."""

    def look() -> dict[str, Any] | None:
        found = shown(clients, instance)
        return found if found["status"] == status and found["operating_status"] else None

    return until(look, 120) or {}


def create(clients: StockClients, name: str, version: str = "17.10", *words: str) -> str:
    what = ["--flavor", "1", "--size", "1", "--datastore", "postgresql", "--datastore-version", version]
    return str(clients.fields(DB, "instance", "create", name, *what, *words)["id"])


@pytest.fixture(scope="module")
def shop(cloud: Served, alice: StockClients) -> str:
    """An instance that the tests of this file share, at rest; gives its id."""
    net = "net-id=0a1b2c3d-0000-4000-8000-000000000000"
    made = create(
        alice, "shop", "17.10", "--databases", "orders", "--users", "ada:a-word", "--nic", net, "--is-public"
    )
    settle(alice, made)
    return made


def test_datastores_and_versions(alice: StockClients) -> None:
    assert [row["Name"] for row in alice.table("datastore", "list")] == ["postgresql"]
    assert alice.fields("datastore", "show", "postgresql")["name"] == "postgresql"
    versions = alice.table("datastore", "version", "list", "postgresql")
    assert {"17.10", "18.6"} <= {row["Name"] for row in versions}
    one = alice.fields("datastore", "version", "show", "18.6", "--datastore", "postgresql")
    assert (one["name"], one["id"]) == ("18.6", next(row["ID"] for row in versions if row["Name"] == "18.6"))


def test_flavors_and_limits(alice: StockClients) -> None:
    flavors = alice.table(DB, "flavor", "list")
    assert flavors
    first = alice.fields(DB, "flavor", "show", str(flavors[0]["ID"]))
    assert first["name"] == flavors[0]["Name"]
    version = alice.fields("datastore", "version", "show", "18.6", "--datastore", "postgresql")["id"]
    of_version = ("--datastore-type", "postgresql", "--datastore-version-id", version)
    assert alice.table(DB, "flavor", "list", *of_version) == flavors
    assert "max_instances" in alice.openstack(DB, "limit", "list").out


def test_an_instance_is_created_listed_and_shown(alice: StockClients, shop: str) -> None:
    (row,) = [row for row in alice.table(DB, "instance", "list") if row["ID"] == shop]
    assert (row["Name"], row["Datastore"], row["Datastore Version"]) == ("shop", "postgresql", "17.10")
    found = shown(alice, "shop")
    assert (found["id"], found["status"], found["operating_status"]) == (shop, "ACTIVE", "HEALTHY")
    assert found["volume"] == 1
    assert found["addresses"]


def test_databases_users_and_grants(alice: StockClients, shop: str) -> None:
    alice.openstack(DB, "db", "create", shop, "stock")
    assert {row["Name"] for row in alice.table(DB, "db", "list", shop)} == {"orders", "stock"}
    alice.openstack(DB, "user", "create", shop, "bob.b", "a-word", "--databases", "orders")
    assert {row["Name"] for row in alice.table(DB, "user", "list", shop)} == {"ada", "bob.b"}
    assert alice.fields(DB, "user", "show", shop, "bob.b")["name"] == "bob.b"
    alice.openstack(DB, "user", "grant", "access", shop, "bob.b", "stock")
    access = alice.table(DB, "user", "show", "access", shop, "bob.b")
    assert {row["Name"] for row in access} == {"orders", "stock"}
    alice.openstack(DB, "user", "revoke", "access", shop, "bob.b", "orders")
    assert [row["Name"] for row in alice.table(DB, "user", "show", "access", shop, "bob.b")] == ["stock"]
    alice.openstack(DB, "user", "update", "attributes", shop, "bob.b", "--new_name", "rob")
    alice.openstack(DB, "user", "delete", shop, "rob")
    assert [row["Name"] for row in alice.table(DB, "user", "list", shop)] == ["ada"]
    alice.openstack(DB, "db", "delete", shop, "stock")
    assert [row["Name"] for row in alice.table(DB, "db", "list", shop)] == ["orders"]


def test_root(alice: StockClients, shop: str) -> None:
    assert alice.fields(DB, "root", "show", shop)["is_root_enabled"] is False
    assert alice.fields(DB, "root", "enable", shop)["password"]
    assert alice.fields(DB, "root", "show", shop)["is_root_enabled"] is True
    assert alice.fields(DB, "root", "enable", shop, "--root_password", "of-my-own")["password"] == "of-my-own"
    alice.openstack(DB, "root", "disable", shop)


def test_configuration_groups_and_parameters(alice: StockClients, shop: str) -> None:
    names = {
        row["Name"]: row
        for row in alice.table(DB, "configuration", "parameter", "list", "17.10", "--datastore", "postgresql")
    }
    assert names["max_connections"]["Restart Required"] is True
    one = alice.fields(
        DB, "configuration", "parameter", "show", "17.10", "work_mem", "--datastore", "postgresql"
    )
    assert one["name"] == "work_mem"
    of_version = ("--datastore", "postgresql", "--datastore-version", "17.10")
    made = alice.fields(DB, "configuration", "create", "web", '{"work_mem": "64MB"}', *of_version)
    group = made["id"]
    assert [row["ID"] for row in alice.table(DB, "configuration", "list")] == [group]
    assert alice.fields(DB, "configuration", "show", "web")["name"] == "web"
    alice.openstack(DB, "configuration", "attach", shop, group)
    settle(alice, shop)
    assert [row["ID"] for row in alice.table(DB, "configuration", "instances", group)] == [shop]
    alice.openstack(DB, "configuration", "parameter", "set", group, '{"work_mem": "32MB"}')
    alice.openstack(DB, "configuration", "set", group, '{"work_mem": "16MB"}')
    settle(alice, shop)
    assert "16MB" in str(alice.fields(DB, "configuration", "show", group)["values"])
    assert alice.fields(DB, "configuration", "default", shop)
    alice.openstack(DB, "configuration", "detach", shop)
    settle(alice, shop)
    alice.openstack(DB, "configuration", "delete", group)
    assert alice.table(DB, "configuration", "list") == []


def test_a_value_that_cannot_be_is_refused_with_a_sentence(alice: StockClients) -> None:
    of_version = ("--datastore", "postgresql", "--datastore-version", "17.10")
    told = alice.refused(DB, "configuration", "create", "bad", '{"work_mem": "plenty"}', *of_version)
    assert "work_mem" in told
    assert "HTTP 422" in told


def test_an_instance_is_renamed_and_restarted(alice: StockClients, shop: str) -> None:
    alice.openstack(DB, "instance", "update", shop, "--name", "store")
    assert shown(alice, "store")["id"] == shop
    alice.openstack(DB, "instance", "update", shop, "--name", "shop")
    alice.openstack(DB, "instance", "restart", shop)
    settle(alice, shop)


def test_an_upgrade(alice: StockClients, shop: str) -> None:
    address = shown(alice, shop)["addresses"]
    alice.openstack(DB, "instance", "upgrade", shop, "18.6")
    found = settle(alice, shop)
    assert (found["datastore_version"], found["addresses"]) == ("18.6", address)
    assert [row["Name"] for row in alice.table(DB, "db", "list", shop)] == ["orders"]
    told = alice.refused(DB, "instance", "upgrade", shop, "99")
    assert "99" in told
    assert "HTTP 404" in told


def test_a_volume_and_a_flavor_grow_and_a_server_boots_again(
    alice: StockClients, root: StockClients, shop: str
) -> None:
    alice.openstack(DB, "instance", "resize", "volume", shop, "2")
    assert settle(alice, shop)["volume"] == 2
    alice.openstack(DB, "instance", "resize", "flavor", shop, "2")
    assert settle(alice, shop)["flavor"] == "2"
    root.openstack(DB, "instance", "reboot", shop)
    settle(alice, shop)


def test_quotas(alice: StockClients, root: StockClients, cloud: Served) -> None:
    project = cloud.projects["acme"]
    root.openstack(DB, "quota", "update", project, "instances", "7")
    limits = {row["Resource"]: row["Limit"] for row in alice.table(DB, "quota", "show", project)}
    assert limits["instances"] == 7
    alice.refused(DB, "quota", "update", project, "instances", "8")


def test_an_administrator_deletes_by_force(alice: StockClients, root: StockClients) -> None:
    made = create(alice, "stuck")
    settle(alice, made)
    root.openstack(DB, "instance", "force", "delete", made)
    until(lambda: made not in {row["ID"] for row in alice.table(DB, "instance", "list")}, 120)


def test_an_administrator_sees_all_instances_and_whose_they_are(
    alice: StockClients, root: StockClients, mallory: StockClients, shop: str, cloud: Served
) -> None:
    every = root.table(DB, "instance", "list", "--all-projects")
    assert next(row["Tenant ID"] for row in every if row["ID"] == shop) == cloud.projects["acme"]
    assert "admin privileges" in alice.refused(DB, "instance", "list", "--all-projects")
    assert mallory.table(DB, "instance", "list") == []
    mallory.refused(DB, "instance", "show", shop)


def test_an_administrator_makes_and_changes_versions(root: StockClients, alice: StockClients) -> None:
    what = ("17.12", "postgresql", "postgresql", "sha256:of-another", "--active", "--version-number", "17.12")
    root.openstack("datastore", "version", "create", *what)
    made = root.fields("datastore", "version", "show", "17.12", "--datastore", "postgresql")["id"]
    root.openstack("datastore", "version", "set", made, "--disable")
    names = {row["Name"] for row in alice.table("datastore", "version", "list", "postgresql")}
    assert "17.12" not in names
    root.openstack("datastore", "version", "delete", made)
    alice.refused("datastore", "version", "create", *what)


def test_an_instance_is_deleted(alice: StockClients) -> None:
    made = create(alice, "brief")
    settle(alice, made)
    alice.openstack(DB, "instance", "delete", made)
    until(lambda: made not in {row["ID"] for row in alice.table(DB, "instance", "list")}, 120)
    alice.refused(DB, "instance", "show", made)
