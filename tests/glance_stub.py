"""A Glance to publish to, over HTTP: what a publisher uses of its API, and ways in which it fails."""

import hashlib
import json
import threading
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class Glance:
    """The images; `tears` and `spoils` make uploads break off, or arrive otherwise than they were sent.

    `seen` is called with an image when it has been given properties.
    """

    def __init__(self, seen: Callable[[dict[str, Any]], None] = lambda _: None) -> None:
        self._seen = seen
        self.images: dict[str, dict[str, Any]] = {}
        self.uploads = 0
        self.tears = self.spoils = False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: bytes) -> tuple[int, Any]:
        """Answer a request with a status and what becomes JSON."""
        parts = path.strip("/").split("/")
        if parts == [""] or parts == ["v2"]:
            link = {"rel": "self", "href": f"{self.url}/v2/"}
            return 200, {"versions": [{"id": "v2.16", "status": "CURRENT", "links": [link]}]}
        if len(parts) == 2:
            return self._collection(method, query, body)
        image = self.images.get(parts[2])
        if image is None:
            return 404, {}
        if parts[3:] == ["file"]:
            return self._upload(image, body)
        if parts[3:4] == ["tags"]:
            image.setdefault("tags", []).append(parts[4])
            return 204, None
        if method == "DELETE":
            del self.images[parts[2]]
            return 204, None
        for change in json.loads(body) if method == "PATCH" else []:
            assert change["op"] in ("add", "replace")
            image[change["path"].strip("/")] = change["value"]
        if method == "PATCH":
            self._seen(image)
        return 200, image

    def _collection(self, method: str, query: dict[str, list[str]], body: bytes) -> tuple[int, Any]:
        if method == "GET":
            wanted = query.get("name", [])
            return 200, {"images": [each for each in self.images.values() if each["name"] in wanted]}
        made = {"id": str(uuid.uuid4()), "status": "queued", "size": None, **json.loads(body)}
        self.images[made["id"]] = made
        return 201, made

    def _upload(self, image: dict[str, Any], body: bytes) -> tuple[int, Any]:
        self.uploads += 1
        if self.tears:
            return 502, {}
        content = body[:-1] if self.spoils else body
        hashed = {"os_hash_algo": "sha512", "os_hash_value": hashlib.sha512(content).hexdigest()}
        image |= {"status": "active", "size": len(content), **hashed}
        return 204, None

    def _handler(stub) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            def _do(self) -> None:
                asked = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, said = stub.answer(self.command, asked.path, parse_qs(asked.query), body)
                text = b"" if said is None else json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _do  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        return Handler
