"""Operations are followed to their end, whatever the connection does."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from control_plane_stub import PROJECT, TOKEN, Answer, Request, Socket, Stub, event, refusal
from instar.client import Client, errors
from instar.wire.ids import new_id

ID = new_id()
PATH = f"/operations/{ID}"


def operation(state: str, **more: object) -> Answer:
    shown = {"id": ID, "kind": "upgrade", "instance_id": "", "instance_name": "demo", "state": state}
    return Answer({"operation": {**shown, "created": "2026-01-01T00:00:00", **more}})


def stream(*parts: bytes) -> Answer:
    return Answer(stream=lambda request: iter(parts))


def test_events_come_in_order_until_the_end(stub: Stub, client: Client) -> None:
    parts = [event(1, "trove.upgrade.start", ID), b": still here\n\n", event(2, "step", ID, step="stage")]
    stub.on("GET", f"{PATH}/events", stream(*parts, event(3, "trove.upgrade.end", ID)))
    stub.on("GET", PATH, operation("SUCCEEDED"))
    assert [one.id for one in client.operations.follow(ID)] == [1, 2, 3]


def test_a_broken_stream_is_taken_up_where_it_broke(stub: Stub, client: Client) -> None:
    def breaks(request: Request) -> Iterator[bytes]:
        yield event(1, "trove.upgrade.start", ID)
        yield event(2, "step", ID)[:-20]
        raise ConnectionResetError

    again = stream(
        event(1, "trove.upgrade.start", ID), event(2, "step", ID), event(3, "trove.upgrade.end", ID)
    )
    stub.on("GET", f"{PATH}/events", Answer(stream=breaks), again)
    stub.on("GET", PATH, operation("OPEN"), operation("SUCCEEDED"))
    assert [one.id for one in client.operations.follow(ID)] == [1, 2, 3]
    assert stub.calls("GET", f"{PATH}/events")[1].headers["last-event-id"] == "1"


def test_a_control_plane_that_is_away_for_a_while_is_waited_for(stub: Stub, client: Client) -> None:
    away = refusal(503, "serviceUnavailable", "unavailable", "Starting")
    stub.on("GET", f"{PATH}/events", away, stream(event(1, "trove.upgrade.end", ID)))
    stub.on("GET", PATH, away, operation("SUCCEEDED"))
    told: list[errors.InstarError] = []
    assert [one.id for one in client.operations.follow(ID, on_break=told.append)] == [1]
    assert [type(one) for one in told] == [errors.Unavailable]


def test_a_control_plane_that_died_and_came_back_is_followed_on() -> None:
    dying = threading.Event()

    def beats(request: Request) -> Iterator[bytes]:
        yield event(1, "trove.upgrade.start", ID)
        while not dying.wait(0.01):
            yield b": still here\n\n"

    before, after = Stub(), Stub()
    before.on("GET", f"{PATH}/events", Answer(stream=beats))
    after.on("GET", f"{PATH}/events", stream(event(2, "trove.upgrade.end", ID)))
    after.on("GET", PATH, operation("SUCCEEDED"))
    with socket.create_server(("127.0.0.1", 0)) as free:  # an address that may be taken twice
        port = free.getsockname()[1]
    sockets = [Socket(before, port)]
    client = Client(endpoint=sockets[0].endpoint, project=PROJECT, token=TOKEN)
    refused: list[errors.InstarError] = []

    def come_back(error: errors.InstarError) -> None:
        refused.append(error)
        sockets.append(Socket(after, port))

    seen = []
    for one in client.operations.follow(ID, on_break=come_back):
        seen.append(one.id)
        if one.id == 1:
            dying.set()
            sockets[0].close()
    sockets[-1].close()
    assert seen == [1, 2]
    assert [type(one) for one in refused] == [errors.ConnectionFailed]


def test_patience_has_an_end(stub: Stub, client: Client) -> None:
    stub.on("GET", PATH, refusal(503, "serviceUnavailable", "unavailable", "Starting"))
    with pytest.raises(errors.Unavailable):
        list(client.operations.follow(ID, patience=0.0))


def test_without_a_stream_the_operation_is_asked_for(stub: Stub, client: Client) -> None:
    stub.on("GET", PATH, operation("OPEN"), operation("SUCCEEDED", downtime_seconds=1.5))
    assert client.operations.wait(ID).downtime_seconds == 1.5


def test_an_operation_that_failed_once_and_was_resumed_is_followed_on(stub: Stub, client: Client) -> None:
    before = [event(1, "trove.upgrade.start", ID), event(2, "trove.upgrade.error", ID)]
    stub.on("GET", f"{PATH}/events", stream(*before), stream(event(3, "trove.upgrade.end", ID)))
    stub.on("GET", PATH, operation("OPEN"), operation("SUCCEEDED"))
    assert [one.id for one in client.operations.follow(ID)] == [1, 2, 3]


def test_waiting_for_a_failed_operation_raises_its_error(stub: Stub, client: Client) -> None:
    error = {"code": "guest", "brief": "pg_upgrade failed", "seen": "exit status 1", "remedy": "Free space"}
    stub.on("GET", PATH, operation("FAILED", step="post_upgrade", error=error, verbs=["resume"]))
    with pytest.raises(
        errors.OperationFailed, match="demo failed at step post_upgrade: pg_upgrade failed"
    ) as caught:
        client.operations.wait(ID)
    assert caught.value.body.remedy == "Free space"
    assert caught.value.operation.verbs == ["resume"]


def test_waiting_ends_at_its_timeout_though_the_stream_goes_on(stub: Stub, client: Client) -> None:
    def beats(request: Request) -> Iterator[bytes]:
        for _ in range(100):
            yield b": still here\n\n"
            time.sleep(0.01)

    stub.on("GET", f"{PATH}/events", Answer(stream=beats))
    stub.on("GET", PATH, operation("OPEN"))
    with pytest.raises(errors.DeadlinePassed, match=ID):
        client.operations.wait(ID, timeout=0.05)


def test_an_unknown_operation_is_not_found(stub: Stub, client: Client) -> None:
    with pytest.raises(errors.NotFound):
        client.operations.wait(ID)


def test_resume_asks_for_it_and_gives_the_operation(stub: Stub, client: Client) -> None:
    stub.on("POST", f"{PATH}/action", Answer(status=202))
    stub.on("GET", PATH, operation("OPEN"))
    assert client.operations.resume(ID).state == "OPEN"
    assert stub.requests[0].body == {"resume": {}}
