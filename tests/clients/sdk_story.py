"""Runs in the clients' own environment: a user's script with openstacksdk; prints what it saw.

Its arguments are an instance that exists, and a database in it: the SDK's own `create_instance` has no field
for a flavor, and what it sends to create users and databases has shapes that Trove's API doesn't take.
"""

import json
import sys

import openstack
from openstack import exceptions


def main() -> None:
    """Go through what the proxy has."""
    database = openstack.connect().database
    instance = database.wait_for_status(database.get_instance(sys.argv[1]), "ACTIVE", interval=1, wait=300)
    saw = {
        "flavors": sorted(each.name for each in database.flavors()),
        "listed": instance.id in [each.id for each in database.instances()],
        "found": database.find_instance(instance.name).id == instance.id,
        "databases": [each.name for each in database.databases(instance)],
        "users": [each.name for each in database.users(instance)],
        "root": [instance.is_root_enabled(database)],
    }
    saw["root"] += [bool(instance.enable_root_user(database)["password"]), instance.is_root_enabled(database)]
    database.delete_user("ada", instance)
    database.delete_database(sys.argv[2], instance)
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
