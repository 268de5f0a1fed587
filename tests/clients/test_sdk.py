"""openstacksdk's database proxy."""

import pytest
from stock_clients import StockClients

pytestmark = pytest.mark.live


def test_a_script_with_the_sdk(alice: StockClients) -> None:
    what = ["--flavor", "1", "--size", "1", "--datastore", "postgresql", "--datastore-version", "17.10"]
    has = ["--databases", "orders", "--users", "ada:a-word"]
    made = alice.fields("database", "instance", "create", "sdk", *what, *has)["id"]
    ran = alice.run("sdk_story:main", made, "orders")
    assert ran.status == 0, ran.err
    flavors = alice.table("database", "flavor", "list")
    assert ran.json == {
        "flavors": sorted(flavor["Name"] for flavor in flavors),
        "listed": True,
        "found": True,
        "databases": ["orders"],
        "users": ["ada"],
        "root": [False, True, True],
        "left": [],
        "renamed": "renamed",
        "gone": True,
    }
