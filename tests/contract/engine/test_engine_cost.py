"""What an operation asks of the record store does not grow with what lies there finished."""

from typing import Any

import pytest
from conftest_engine import Shop
from sqlalchemy import event

from instar.control.engine.outcomes import Done, Step, Story, Wait
from instar.wire.states import InstanceStatus, OperationState

LARGE = ("operations", "operation_steps", "events")


@pytest.fixture
def statements(shop: Shop) -> list[tuple[str, Any]]:
    """What is sent to the record store from now on."""
    sent: list[tuple[str, Any]] = []
    event.listen(
        shop.store.engine,
        "before_cursor_execute",
        lambda connection, cursor, statement, parameters, *_: sent.append((statement, parameters)),
    )
    return sent


@pytest.mark.parametrize("record_store_url", ["sqlite"], indirect=True)
def test_no_statement_of_an_operation_reads_a_whole_table(
    shop: Shop, statements: list[tuple[str, Any]]
) -> None:
    """SQLite's plans are asked, for they depend on the statement and the indexes alone."""
    looks = iter([Wait(0.11, "not yet")])
    toy = Story(
        "toy",
        (Step("one", lambda ctx: next(looks, Done())), Step("two", lambda ctx: Done())),
        status=InstanceStatus.UPGRADE,
    )
    shop.worker(toy)
    assert shop.end_of(shop.submit(toy)).state == OperationState.SUCCEEDED
    with shop.store.engine.connect() as connection:
        scans = {
            statement: row.detail
            for statement, parameters in statements.copy()
            if statement.startswith(("SELECT", "UPDATE", "DELETE"))
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            if row.detail.startswith("SCAN") and row.detail.split()[1] in LARGE and "INDEX" not in row.detail
        }
    assert scans == {}
