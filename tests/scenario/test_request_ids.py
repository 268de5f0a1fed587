"""One id from the caller's answer through both halves' logs to the notification."""

import io
import logging
from collections.abc import Iterator

import pytest
from falcon import testing
from oslo_log import formatters
from sqlalchemy import select

from instar.control.store.tables import Event
from instar.control.wiring import local_tokens
from instar.wire.errors import GuestError
from waiting import until
from world import World


@pytest.fixture
def log(world: World) -> Iterator[io.StringIO]:
    """What an operator's log file would hold."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(formatters.ContextFormatter(config=world.house.conf))
    logger = logging.getLogger("instar")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield text
    logger.removeHandler(handler)
    logger.setLevel(before)


def test_a_request_is_followed_by_its_id(world: World, log: io.StringIO) -> None:
    instance = world.create()
    token = next(iter(local_tokens(world.house.conf)))
    client = testing.TestClient(world.door, headers={"X-Auth-Token": token})
    world.guests.failing["restart"] = GuestError("It does not come up")
    path = f"/v1.0/local/instances/{instance}/action"
    answer = client.simulate_post(path, json={"restart": {}})
    request_id = answer.headers["x-openstack-request-id"]

    def is_said(*words: str) -> bool:
        lines = [line for line in log.getvalue().splitlines() if request_id in line]
        return any(all(word in line for word in words) for line in lines)

    assert is_said(f"POST {path} answered 202")
    until(lambda: is_said("step=restart outcome=fail", "admin local"))
    with world.house.store.read() as session:
        rows = session.execute(select(Event).where(Event.kind.like("trove.restart.%"))).scalars()
        assert {row.payload["request_id"] for row in rows} == {request_id}
