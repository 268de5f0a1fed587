"""The channel to a guest agent: HTTPS with mutual TLS, the server's name being the instance's id."""

import ssl
import time
from collections.abc import Mapping
from typing import Any, TypeVar

import requests
from pydantic import BaseModel, RootModel, ValidationError
from requests.adapters import HTTPAdapter
from urllib3.util import create_urllib3_context

from instar.control.guests import enrolment
from instar.control.guests.authority import Authority
from instar.wire.agent import PORT, AgentInfo, DatabaseStatus, JobView
from instar.wire.errors import ErrorBody, GuestError, GuestUnreachable, InstarError

CONNECT_TIMEOUT = 3.0
ANSWER_TIMEOUT = 20.0
ANSWER_LIMIT = 4 << 20
Shape = TypeVar("Shape", bound=BaseModel)


class _Anything(RootModel[dict[str, Any]]):
    """An answer whose shape its hook knows."""


class Channels:
    """Channels to all guests of an installation."""

    def __init__(self, authority: Authority, port: int = PORT) -> None:
        self._authority = authority
        self._port = port

    def at(self, instance_id: str, address: str) -> "Channel":
        """Give the channel to one instance's agent."""
        return Channel(self._authority, instance_id, f"https://{address}:{self._port}")

    def files(self, instance_id: str, facts: dict[str, str], settings: Mapping[str, str]) -> dict[str, str]:
        """Make what is injected into an instance's server."""
        settings = {"listen_address": facts["address"], "port": str(self._port), **settings}
        return enrolment.files(self._authority, instance_id, facts, settings)


class Channel:
    """One instance's agent, as `Guest` has it. Each call opens a connection of its own: a guest that was
    rebuilt between two calls is another server.
    """

    def __init__(self, authority: Authority, instance_id: str, url: str) -> None:
        self._authority = authority
        self._instance_id = instance_id
        self._url = url

    def info(self) -> AgentInfo:
        """Ask who answers."""
        return self._ask(AgentInfo, "GET", "/")

    def status(self) -> DatabaseStatus:
        """Ask how the database is."""
        return self._ask(DatabaseStatus, "GET", "/status")

    def start_job(self, job_id: str, hook: str, params: dict[str, Any]) -> JobView:
        """Start a named job, or find it when it was started before."""
        return self._ask(JobView, "PUT", f"/jobs/{job_id}", {"hook": hook, "params": params})

    def job(self, job_id: str, wait: float = 0.0) -> JobView:
        """Tell of a named job, waiting up to `wait` seconds for its end."""
        return self._ask(JobView, "GET", f"/jobs/{job_id}?wait={wait:g}")

    def call(self, hook: str, params: dict[str, Any]) -> dict[str, Any]:
        """Run a brief hook and give its answer."""
        return self._ask(_Anything, "POST", f"/calls/{hook}", params).root

    def _ask(self, shape: type[Shape], method: str, path: str, body: dict[str, Any] | None = None) -> Shape:
        status, text = self._send(method, path, body)
        try:
            if status < 400:
                return shape.model_validate_json(text)
            raise InstarError.from_body(ErrorBody.model_validate_json(text))
        except ValidationError:
            raise GuestError(
                f"The agent of instance {self._instance_id} gave an answer that is none",
                seen=f"HTTP {status}: {text[:200].decode('utf-8', 'replace')}",
            ) from None

    def _send(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[int, bytes]:
        with requests.Session() as session:
            session.trust_env = False
            session.mount("https://", _NamedGuest(self._instance_id))
            try:
                response = session.request(
                    method,
                    self._url + path,
                    json=body,
                    timeout=(CONNECT_TIMEOUT, ANSWER_TIMEOUT),
                    verify=str(self._authority.certificate_file),
                    cert=(str(self._authority.client_certificate), str(self._authority.client_key)),
                    allow_redirects=False,
                    stream=True,
                )
                return response.status_code, self._read(response)
            except requests.exceptions.SSLError as error:
                raise self._stranger(error) from error
            except requests.exceptions.RequestException as error:
                raise self._away(error) from error

    def _read(self, response: requests.Response) -> bytes:
        """Read the body, of a bounded size: a guest may be anybody's."""
        body = b""
        for chunk in response.iter_content(1 << 14):
            body += chunk
            if len(body) > ANSWER_LIMIT:
                raise GuestError(
                    f"The agent of instance {self._instance_id} answers without end",
                    seen=f"more than {ANSWER_LIMIT} bytes",
                    remedy="Look at what the guest runs; an upgrade to the same version renews its agent.",
                )
        return body

    def _stranger(self, error: Exception) -> GuestUnreachable:
        return GuestUnreachable(
            f"The agent of instance {self._instance_id} and the control plane do not trust each other",
            seen=str(error),
            remedy="Look whether a certificate expired or another server has the address; "
            "an upgrade to the same version gives the guest a new certificate.",
        )

    def _away(self, error: Exception) -> GuestUnreachable:
        return GuestUnreachable(
            f"The agent of instance {self._instance_id} does not answer at {self._url}",
            seen=_cause(error),
            remedy="It may be starting; otherwise look at the server's console.",
            retryable=True,
        )


def _cause(error: BaseException) -> str:
    """Dig out what the system said: the libraries wrap it several times."""
    while error.args and isinstance(error.args[0], BaseException):
        error = error.args[0]
    reason = getattr(error, "reason", None)
    return _cause(reason) if isinstance(reason, BaseException) else str(error).rsplit(": ", 1)[-1]


class _BoundedSocket(ssl.SSLSocket):
    """Everything that is read on one connection, headers included, is read within `ANSWER_TIMEOUT`.

    The library's own timeout is one of each wait: a guest that drips bytes never meets it.
    """

    _deadline: float | None = None

    def recv_into(self, *args: Any, **more: Any) -> int:
        """Wait for bytes until the deadline, which counts from the first wait. Raises TimeoutError."""
        self._deadline = self._deadline or time.monotonic() + ANSWER_TIMEOUT
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"the answer was not complete within {ANSWER_TIMEOUT:g} s")
        self.settimeout(left)
        return super().recv_into(*args, **more)


class _NamedGuest(HTTPAdapter):
    """Holds the certificate's name against the instance's id, wherever the connection goes."""

    def __init__(self, instance_id: str) -> None:
        self._instance_id = instance_id
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        context = create_urllib3_context()
        context.sslsocket_class = _BoundedSocket
        super().init_poolmanager(*args, **kwargs, assert_hostname=self._instance_id, ssl_context=context)
