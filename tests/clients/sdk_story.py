"""Runs in the clients' own environment: a user's script with openstacksdk; prints what it saw."""

import json

import openstack
from openstack import exceptions


def main() -> None:
    """Go through everything that the proxy has."""
    cloud = openstack.connect()
    database = cloud.database
    flavor = next(database.flavors())
    made = database.create_instance(
        name="sdk",
        flavorRef=flavor.id,
        volume={"size": 1},
        datastore={"type": "postgresql", "version": "17.10"},
    )
    instance = database.wait_for_status(made, "ACTIVE", interval=1, wait=300)
    database.create_database(instance, name="orders")
    database.create_user(instance, name="ada", password="a-word", databases=[{"name": "orders"}])
    saw = {
        "flavor": database.get_flavor(flavor.id).name == flavor.name,
        "listed": made.id in [each.id for each in database.instances()],
        "found": database.find_instance("sdk").id == made.id,
        "databases": [each.name for each in database.databases(instance)],
        "users": [each.name for each in database.users(instance)],
    }
    database.delete_user("ada", instance)
    database.delete_database("orders", instance)
    saw["left"] = [each.name for each in [*database.databases(instance), *database.users(instance)]]
    database.update_instance(instance, name="renamed")
    saw["renamed"] = database.get_instance(instance.id).name
    database.delete_instance(instance)
    database.wait_for_delete(instance, interval=1, wait=300)
    try:
        database.get_instance(instance.id)
    except exceptions.NotFoundException:
        saw["gone"] = True
    print(json.dumps(saw))


if __name__ == "__main__":
    main()
