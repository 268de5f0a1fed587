"""Trove's own shell, `trove`, which some operators' scripts still call."""

import pytest
from stock_clients import StockClients

from waiting import until

pytestmark = pytest.mark.live


def test_a_day_with_the_old_shell(alice: StockClients, root: StockClients) -> None:
    assert "postgresql" in alice.trove("datastore-list")
    assert "18.6" in alice.trove("datastore-version-list", "postgresql")
    assert "small" in alice.trove("flavor-list")
    alice.trove("limit-list")
    assert "work_mem" in alice.trove("configuration-parameter-list", "17.10", "--datastore", "postgresql")
    what = [
        "--size",
        "1",
        "--datastore",
        "postgresql",
        "--datastore_version",
        "17.10",
        "--databases",
        "orders",
    ]
    assert "BUILD" in alice.trove("create", "old", "1", *what)
    until(lambda: "ACTIVE" in alice.trove("show", "old"), 120)
    assert "orders" in alice.trove("database-list", "old")
    alice.trove("user-create", "old", "ada", "a-word", "--databases", "orders")
    assert "orders" in alice.trove("user-show-access", "old", "ada")
    assert "False" in alice.trove("root-show", "old")
    alice.trove("restart", "old")
    until(lambda: "HEALTHY" in alice.trove("show", "old"), 120)
    alice.trove("upgrade", "old", "17.11")
    until(lambda: "17.11" in (told := alice.trove("show", "old")) and "HEALTHY" in told, 120)
    alice.trove("delete", "old")
    until(lambda: " old " not in alice.trove("list"), 120)
