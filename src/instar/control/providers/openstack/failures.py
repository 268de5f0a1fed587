"""What the cloud answers when it does not do what it was asked, told as a ProviderError."""

import re
from http import HTTPStatus

from keystoneauth1 import exceptions as auth
from openstack import exceptions as sdk

from instar.wire.errors import ProviderError

Unreached = (auth.ConnectionError, auth.SSLError, auth.RetriableConnectionFailure, auth.DiscoveryFailure)
Failures = (sdk.SDKException, auth.ClientException)
"""Everything that the SDK raises on purpose."""

_FULL = re.compile(r"quota|no more ip addresses", re.IGNORECASE)
_TRANSIENT = {
    HTTPStatus.CONFLICT,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_MANY_REQUESTS,
}
"""Somebody else is at work on it, or the cloud is: the next look tells."""


def told(purpose: str, error: Exception) -> ProviderError:
    """Make a ProviderError that says what the `purpose` was."""
    status = getattr(error, "status_code", None) or getattr(error, "http_status", None)
    seen = _seen(error)
    if isinstance(error, Unreached) or status is None:
        return ProviderError(
            f"The cloud could not be asked to {purpose}",
            seen=seen,
            remedy="see that its services answer where its catalogue says, then try again",
            retryable=isinstance(error, Unreached),
        )
    if status == HTTPStatus.UNAUTHORIZED:
        return ProviderError(
            f"The cloud did not let us in to {purpose}",
            seen=seen,
            remedy="set right the credentials that options cloud and clouds_file of section [openstack] name",
        )
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or _FULL.search(seen):
        return ProviderError(
            f"The cloud has no room left to {purpose}",
            seen=seen,
            remedy="raise the service project's quota or the subnet's pool, or delete what is not needed",
        )
    return _refused(purpose, int(status), seen)


def _refused(purpose: str, status: int, seen: str) -> ProviderError:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _TRANSIENT:
        remedy, retryable = "try again; the services' logs have the cause if it goes on", True
    elif status == HTTPStatus.FORBIDDEN:
        remedy, retryable = "give the service account the role that the cloud's policy asks for", False
    else:
        remedy, retryable = "mend what the cloud complains of, then try again", False
    return ProviderError(f"The cloud refused to {purpose}", seen=seen, remedy=remedy, retryable=retryable)


def _seen(error: Exception) -> str:
    """Say what was answered, and under which request the services logged it."""
    details = str(getattr(error, "details", "") or getattr(error, "message", "") or error)
    status = getattr(error, "status_code", None) or getattr(error, "http_status", None)
    words = [f"HTTP {status}:" if status else "", details.strip()]
    request_id = getattr(error, "request_id", None)
    return " ".join(filter(None, [*words, f"({request_id})" if request_id else ""]))
