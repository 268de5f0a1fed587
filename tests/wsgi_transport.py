"""The Python client on a WSGI application in memory: no socket, the same requests."""

import io
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from falcon import testing
from keystoneauth1 import session, token_endpoint
from requests.adapters import BaseAdapter
from urllib3.response import HTTPResponse

from instar.client import Client

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

BASE = "http://instar.test"


class WsgiTransport(BaseAdapter):
    """Answers a request by calling the application."""

    def __init__(self, app: "WSGIApplication") -> None:
        super().__init__()
        self._app = app

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Call the application and put its answer in the library's words."""
        url = urlsplit(request.url or "")
        answer = testing.simulate_request(
            self._app,  # type: ignore[arg-type]
            method=request.method or "GET",
            path=url.path,
            query_string=url.query,
            headers=dict(request.headers),
            body=request.body or b"",
        )
        raw = HTTPResponse(
            body=io.BytesIO(answer.content),
            headers=answer.headers,
            status=answer.status_code,
            preload_content=False,
        )
        response = requests.Response()
        response.status_code, response.url, response.request = answer.status_code, request.url or "", request
        response.headers = requests.structures.CaseInsensitiveDict(answer.headers)
        response.raw = raw
        return response

    def close(self) -> None:
        """Nothing is open."""


def client_of(app: "WSGIApplication", project: str, token: str) -> Client:
    """Make a client of the application for one project."""
    endpoint = f"{BASE}/v1.0/{project}"
    http = requests.Session()
    http.mount("http://", WsgiTransport(app))
    auth = token_endpoint.Token(endpoint, token)
    return Client(session=session.Session(auth=auth, session=http), endpoint=endpoint)
