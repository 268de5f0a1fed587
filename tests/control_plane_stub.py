"""A control plane that answers as it is told to, on a socket of its own."""

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import pytest
from cheroot import wsgi

PROJECT = "shop"
TOKEN = "a-token-for-tests"


@dataclass
class Request:
    """What was asked: `path` is below the project's."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any


@dataclass
class Answer:
    """What to answer; `stream` instead of `body` sends its parts one by one."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    stream: Callable[[Request], Iterable[bytes]] | None = None


class Stub:
    """Answers in the order given for each call, the last one for ever; keeps what was asked."""

    def __init__(self) -> None:
        self.endpoint = ""
        self.requests: list[Request] = []
        self._answers: dict[tuple[str, str], list[Answer]] = defaultdict(list)

    def on(self, method: str, path: str, *answers: Answer) -> None:
        """Answer calls of `method` on `path`."""
        self._answers[method, path].extend(answers)

    def calls(self, method: str, path: str) -> list[Request]:
        """Give the requests of that kind."""
        return [one for one in self.requests if (one.method, one.path) == (method, path)]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        raw = environ["wsgi.input"].read(length) if length else b""
        request = Request(
            environ["REQUEST_METHOD"],
            environ["PATH_INFO"].removeprefix(f"/v1.0/{PROJECT}"),
            parse_qs(environ.get("QUERY_STRING", "")),
            {
                key[5:].replace("_", "-").lower(): value
                for key, value in environ.items()
                if key[:5] == "HTTP_"
            },
            json.loads(raw) if raw else None,
        )
        self.requests.append(request)
        answer = self._next(request)
        headers = [("Content-Type", "application/json"), *answer.headers.items()]
        start_response(f"{answer.status} Whatever", headers)
        if answer.stream is not None:
            return answer.stream(request)
        if isinstance(answer.body, bytes):
            return [answer.body]
        return [b"" if answer.body is None else json.dumps(answer.body).encode()]

    def _next(self, request: Request) -> Answer:
        left = self._answers[request.method, request.path]
        if not left:
            return refusal(404, "itemNotFound", "not_found", f"There is no {request.path}")
        return left.pop(0) if len(left) > 1 else left[0]


def refusal(status: int, fault: str, code: str, brief: str, **more: Any) -> Answer:
    """Answer with the error envelope."""
    error = {"code": code, "brief": brief, **more}
    problem = {"code": status, "message": brief, "error": error}
    return Answer({fault: problem}, status, {"x-openstack-request-id": "req-1"})


def event(number: int, kind: str, operation_id: str, **payload: Any) -> bytes:
    """Spell an event as the stream does."""
    data = {
        "id": number,
        "kind": kind,
        "operation_id": operation_id,
        "instance_id": "",
        "created": "2026-01-01T00:00:00",
        "payload": payload,
    }
    return f"id: {number}\nevent: {kind}\ndata: {json.dumps(data)}\n\n".encode()


class Socket:
    """A socket for one WSGI application after the other: to close one takes longer than most tests."""

    def __init__(self, app: Any = None, port: int = 0) -> None:
        self.app = app
        self._http = wsgi.Server(("127.0.0.1", port), lambda *args: self.app(*args), numthreads=8)
        self._http.shutdown_timeout = 0.2
        self._http.expiration_interval = 0.02  # how often the server looks whether it is to stop
        self._http.error_log = lambda *args, **kwargs: None
        self._http.prepare()
        self.endpoint = f"http://127.0.0.1:{self._http.bind_addr[1]}"
        self._thread = threading.Thread(target=self._http.serve)
        self._thread.start()

    def close(self) -> None:
        """Answer nobody any more."""
        self._http.stop()
        self._thread.join()


@pytest.fixture(scope="session")
def socket() -> Iterator[Socket]:
    """Listen on a free port."""
    made = Socket()
    yield made
    made.close()


@pytest.fixture
def stub(socket: Socket) -> Stub:
    """Give a stub for one test."""
    socket.app = made = Stub()
    made.endpoint = socket.endpoint
    return made
