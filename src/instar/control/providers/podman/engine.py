"""The container engine, asked through its Docker-compatible API; what it answers becomes a ProviderError."""

import contextlib
import errno
import os
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar

import requests
from docker import APIClient
from docker.errors import APIError, DockerException
from docker.errors import NotFound as NoSuchThing

from instar.control.providers.podman.service import Service
from instar.wire.errors import ProviderError

OLDEST_API = "1.41"
"""The version of the API that is spoken until the engine has said which is its own."""
_TRANSIENT = {HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND}
"""Somebody else is at work on it, or removed what was there a moment ago: the next look tells."""
TIMEOUT = 120
"""Seconds that one answer is waited for: a stop waits for what is stopped."""

PAUSES = (0.0, 0.2, 1.0)
"""Seconds before a question is put again: an engine that was killed may take connections until it is gone."""

T = TypeVar("T")


class Engine:
    """One engine; any number of threads may ask it at once."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._clients = threading.local()
        self._version = ""
        self._names_users = False

    @property
    def names_users(self) -> bool:
        """Tell whether the engine names a container's uid by itself, as Podman does and Docker does not."""
        self.ask("tell of itself", lambda api: None)
        return self._names_users

    def ask(self, purpose: str, question: Callable[[Any], T]) -> T:
        """Put a question to the engine. Raises ProviderError saying what the `purpose` was.

        A question whose connection breaks is put again, so it has to be one that may be repeated.
        """
        for pause in PAUSES:
            try:
                return self._put(purpose, question)
            except _BrokenError:
                time.sleep(pause)
        return self._put(purpose, question)

    def find(self, purpose: str, question: Callable[[Any], T]) -> T | None:
        """Put a question about something that may not be there; None when it isn't."""

        def asked(api: Any) -> T | None:
            try:
                return question(api)
            except NoSuchThing:
                return None

        return self.ask(purpose, asked)

    def _put(self, purpose: str, question: Callable[[Any], T]) -> T:
        self._service.ensure()
        try:
            return question(self._client())
        except APIError as error:
            raise _refusal(purpose, error) from error
        except (requests.RequestException, DockerException) as error:
            kind = _BrokenError if isinstance(error, requests.ConnectionError) else NoAnswerError
            raise kind(
                f"The container engine at {self._service.url} did not answer when it was to {purpose}",
                seen=str(error),
                remedy="see that it runs, then try again",
                retryable=True,
            ) from error

    def _client(self) -> Any:
        if not hasattr(self._clients, "api"):
            version = self._version or self._ask_version()
            self._clients.api = APIClient(base_url=self._service.url, version=version, timeout=TIMEOUT)
        return self._clients.api

    def _ask_version(self) -> str:
        """Learn what kind of engine it is by the cheapest of all questions."""
        with contextlib.closing(APIClient(base_url=self._service.url, version=OLDEST_API)) as api:
            answer = api.get(f"{api.base_url}/_ping", timeout=TIMEOUT)
        answer.raise_for_status()
        self._names_users = "Libpod-Api-Version" in answer.headers
        self._version = answer.headers.get("Api-Version", OLDEST_API)
        return self._version


class NoAnswerError(ProviderError):
    """The engine gave no answer; it may carry out yet what it was asked."""


class _BrokenError(NoAnswerError):
    """The connection broke, or there was none."""


def _refusal(purpose: str, error: APIError) -> ProviderError:
    seen = str(error.explanation or error)
    is_full = os.strerror(errno.ENOSPC).lower() in seen.lower()
    return ProviderError(
        f"The container engine could not {purpose}",
        seen=seen,
        remedy="free space where the engine keeps its images and containers"
        if is_full
        else "mend what the engine complains of, then try again",
        retryable=not is_full and (not error.is_client_error() or error.status_code in _TRANSIENT),
    )
