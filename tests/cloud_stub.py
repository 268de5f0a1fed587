"""A cloud at the level of HTTP: Keystone with a catalogue, and else whatever a test wants answered."""

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from instar.control.providers.openstack.settings import OpenStackSettings

PROJECT = "5e0c7a3c-0000-4000-8000-00000000000a"
SERVICES = {
    "compute": ("compute/v2.1", {"id": "v2.1", "status": "CURRENT", "version": "2.95", "min_version": "2.1"}),
    "volumev3": ("volume/v3", {"id": "v3.0", "status": "CURRENT", "version": "3.70", "min_version": "3.0"}),
    "image": ("image/v2", {"id": "v2.15", "status": "CURRENT"}),
    "network": ("network/v2.0", {"id": "v2.0", "status": "CURRENT"}),
}
Answer = tuple[int, Any]
Query = dict[str, list[str]]


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    query: Query
    body: Any


@dataclass
class CloudStub:
    """What is answered: `on` sets the answers of a path, one after another, the last of them for good."""

    url: str = ""
    logins: int = 0
    expired: set[str] = field(default_factory=set)
    asked: list[Asked] = field(default_factory=list)
    _answers: dict[tuple[str, str], list[Any]] = field(default_factory=lambda: defaultdict(list))

    def on(self, method: str, path: str, *answers: Answer | Callable[[Asked], Answer]) -> None:
        """Say what is answered, such as on("GET", "/compute/v2.1/flavors/detail", (200, {"flavors": []}))."""
        self._answers[method, path] = list(answers)

    def all(self, method: str, path: str) -> list[Asked]:
        """List the requests of a kind."""
        return [each for each in self.asked if (each.method, each.path) == (method, path)]

    def expire_tokens(self) -> None:
        """Have every token that was handed out be refused from now on."""
        self.expired = {f"token-{number}" for number in range(1, self.logins + 1)}

    def answer(self, asked: Asked, token: str | None) -> tuple[Answer, dict[str, str]]:
        """Answer one request."""
        if (asked.method, asked.path) == ("POST", "/identity/v3/auth/tokens"):
            self.logins += 1
            return (201, self._token()), {"X-Subject-Token": f"token-{self.logins}"}
        if document := self._document(asked):
            return (200, document), {}
        if token in self.expired:
            return (401, {"error": {"message": "The request you have made requires authentication."}}), {}
        self.asked.append(asked)
        answers = self._answers[asked.method, asked.path]
        if not answers:
            return (404, {"itemNotFound": {"message": f"no answer to {asked.method} {asked.path}"}}), {}
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return (answer(asked) if callable(answer) else answer), {"X-Openstack-Request-Id": "req-1"}

    def _document(self, asked: Asked) -> Any | None:
        path = asked.path.rstrip("/")
        if path == "/identity/v3":
            return {"version": self._version("identity/v3", {"id": "v3.14", "status": "stable"})}
        for root, version in SERVICES.values():
            if path == f"/{root}":
                return {"version": self._version(root, version), "versions": [self._version(root, version)]}
            if path == f"/{root.split('/')[0]}":
                return {"versions": [self._version(root, version)]}
        return None

    def _version(self, root: str, version: dict[str, str]) -> dict[str, Any]:
        return {**version, "links": [{"rel": "self", "href": f"{self.url}/{root}/"}]}

    def _token(self) -> Any:
        catalogue = [
            {
                "type": kind,
                "name": kind,
                "id": kind,
                "endpoints": [
                    {
                        "interface": "public",
                        "region": "RegionOne",
                        "region_id": "RegionOne",
                        "id": kind,
                        "url": f"{self.url}/{root}",
                    }
                ],
            }
            for kind, (root, _) in SERVICES.items()
        ]
        domain = {"id": "default", "name": "Default"}
        return {
            "token": {
                "methods": ["password"],
                "expires_at": "2999-01-01T00:00:00.000000Z",
                "issued_at": "2020-01-01T00:00:00.000000Z",
                "project": {"id": PROJECT, "name": "service", "domain": domain},
                "user": {"id": "u", "name": "instar", "domain": domain},
                "roles": [],
                "catalog": catalogue,
            }
        }


@contextmanager
def serving() -> Iterator[CloudStub]:
    """Serve a stub."""
    stub = CloudStub()

    class Handler(BaseHTTPRequestHandler):
        def respond(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            text = self.rfile.read(length)
            parts = urlsplit(self.path)
            asked = Asked(self.command, parts.path, parse_qs(parts.query), json.loads(text) if text else None)
            (status, body), headers = stub.answer(asked, self.headers.get("X-Auth-Token"))
            content = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Type": "application/json"}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = respond  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        stub.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield stub
        finally:
            server.shutdown()
            thread.join()


def settings_for(stub: CloudStub, directory: Path, **more: Any) -> OpenStackSettings:
    """Make settings whose clouds.yaml leads to the stub."""
    auth = {
        "auth_url": f"{stub.url}/identity/v3",
        "username": "instar",
        "password": "secret",
        "project_name": "service",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    path = directory / "clouds.yaml"
    path.write_text(json.dumps({"clouds": {"stub": {"auth": auth, "region_name": "RegionOne"}}}))
    return OpenStackSettings(cloud="stub", clouds_file=path, network="net", **more)
