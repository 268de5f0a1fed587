"""openstacksdk's database proxy."""

import pytest
from stock_clients import StockClients

pytestmark = pytest.mark.live


def test_a_script_with_the_sdk(alice: StockClients) -> None:
    ran = alice.run("sdk_story:main")
    assert ran.status == 0, ran.err
    assert ran.json == {
        "flavor": True,
        "listed": True,
        "found": True,
        "databases": ["orders"],
        "users": ["ada"],
        "left": [],
        "renamed": "renamed",
        "gone": True,
    }
