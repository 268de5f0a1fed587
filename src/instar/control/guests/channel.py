"""The channel to a guest agent: HTTPS with mutual TLS, the server's name being the instance's id."""

from typing import Any

import requests
from pydantic import ValidationError
from requests.adapters import HTTPAdapter

from instar.control.guests import enrolment
from instar.control.guests.authority import Authority
from instar.wire.agent import PORT, AgentInfo, DatabaseStatus, JobView
from instar.wire.errors import ErrorBody, GuestError, GuestUnreachable, InstarError

CONNECT_TIMEOUT = 3.0
ANSWER_TIMEOUT = 20.0


class Channels:
    """Channels to all guests of an installation."""

    def __init__(self, authority: Authority, port: int = PORT) -> None:
        self._authority = authority
        self._port = port

    def at(self, instance_id: str, address: str) -> "Channel":
        """Give the channel to one instance's agent."""
        return Channel(self._authority, instance_id, f"https://{address}:{self._port}")

    def files(self, instance_id: str, facts: dict[str, str]) -> dict[str, str]:
        """Make what is injected into an instance's server."""
        settings = {"listen_address": facts["address"], "port": str(self._port)}
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
        return AgentInfo.model_validate(self._send("GET", "/"))

    def status(self) -> DatabaseStatus:
        """Ask how the database is."""
        return DatabaseStatus.model_validate(self._send("GET", "/status"))

    def start_job(self, job_id: str, hook: str, params: dict[str, Any]) -> JobView:
        """Start a named job, or find it when it was started before."""
        return JobView.model_validate(self._send("PUT", f"/jobs/{job_id}", {"hook": hook, "params": params}))

    def job(self, job_id: str, wait: float = 0.0) -> JobView:
        """Tell of a named job, waiting up to `wait` seconds for its end."""
        return JobView.model_validate(self._send("GET", f"/jobs/{job_id}?wait={wait:g}"))

    def call(self, hook: str, params: dict[str, Any]) -> dict[str, Any]:
        """Run a brief hook and give its answer."""
        return self._send("POST", f"/calls/{hook}", params)

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
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
                )
                return self._read(response)
            except requests.exceptions.SSLError as error:
                raise self._stranger(error) from error
            except requests.exceptions.RequestException as error:
                raise self._away(error) from error

    def _read(self, response: requests.Response) -> dict[str, Any]:
        answer: Any = response.json()
        if response.ok and isinstance(answer, dict):
            return answer
        try:
            raise InstarError.from_body(ErrorBody.model_validate(answer))
        except ValidationError:
            raise GuestError(
                f"The agent of instance {self._instance_id} gave an answer that is none",
                seen=f"HTTP {response.status_code}: {response.text[:200]}",
            ) from None

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


class _NamedGuest(HTTPAdapter):
    """Holds the certificate's name against the instance's id, wherever the connection goes."""

    def __init__(self, instance_id: str) -> None:
        self._instance_id = instance_id
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, assert_hostname=self._instance_id)
