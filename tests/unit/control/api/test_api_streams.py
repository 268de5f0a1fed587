"""How many event streams may be open at once: each holds a thread of the server."""

from collections.abc import Callable, Iterable
from threading import BoundedSemaphore

import pytest
from falcon import testing

from door import Door

Answer = tuple[int, Iterable[bytes]]


@pytest.fixture
def ask(own_door: Door) -> Callable[..., Answer]:
    """Ask for an open operation's events as a server does: the body is open until it is closed."""
    path = f"/v1.0/acme/instances/{own_door.create()}/operations"
    operation_id = own_door.as_("acme-token").simulate_get(path).json["operations"][0]["id"]

    def ask(method: str = "GET") -> Answer:
        environ = testing.create_environ(
            path=f"/v1.0/acme/operations/{operation_id}/events",
            method=method,
            headers={"X-Auth-Token": "acme-token"},
        )
        answered = testing.StartResponseMock()
        body = own_door.app(environ, answered)
        return int((answered.status or "0").split()[0]), body

    return ask


def _close(body: Iterable[bytes]) -> None:
    """Close a body as a WSGI server must, where it can be closed."""
    getattr(body, "close", lambda: None)()


def _places(door: Door) -> int:
    """Tell how many streams may be open at once, by taking all places and giving them back."""
    streams: BoundedSemaphore = door.desk.streams
    taken = 0
    while streams.acquire(blocking=False):
        taken += 1
    if taken:
        streams.release(taken)
    return taken


def test_a_stream_too_many_is_told_to_come_again_and_a_freed_place_is_given_out(
    own_door: Door, ask: Callable[..., Answer]
) -> None:
    opened = [ask() for _ in range(_places(own_door))]
    assert {status for status, _ in opened} == {200}
    status, refused = ask()
    assert status == 503
    assert b"Too many event streams" in b"".join(refused)
    _close(opened[0][1])
    _close(opened[0][1])  # a server may close twice; that frees one place, not two
    status, again = ask()
    assert status == 200
    assert ask()[0] == 503
    for _, body in [*opened[1:], (status, again)]:
        _close(body)


def test_a_refused_stream_takes_no_place(own_door: Door, ask: Callable[..., Answer]) -> None:
    places = _places(own_door)
    for _ in range(places + 1):
        environ = testing.create_environ(
            path="/v1.0/acme/operations/none/events", headers={"X-Auth-Token": "acme-token"}
        )
        _close(own_door.app(environ, testing.StartResponseMock()))
    assert _places(own_door) == places


def test_asking_for_the_head_of_a_stream_takes_no_place(own_door: Door, ask: Callable[..., Answer]) -> None:
    places = _places(own_door)
    for _ in range(places + 1):
        _close(ask("HEAD")[1])
    assert _places(own_door) == places
