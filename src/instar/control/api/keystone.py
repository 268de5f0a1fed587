"""Authentication by Keystone: keystonemiddleware in front of the door."""

from typing import TYPE_CHECKING, Any, cast

from keystoneauth1 import exceptions
from keystonemiddleware import auth_token
from oslo_config import cfg

from instar.control.api.auth import UNHEARD

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_NO_ANSWER = (
    exceptions.ConnectFailure,
    exceptions.DiscoveryFailure,
    exceptions.RequestTimeout,
    auth_token.ServiceError,
)


class _Unheard(Exception):
    """Keystone said neither that a token is valid nor that it is not."""


class _AuthToken(auth_token.AuthProtocol):  # type: ignore[misc]
    """Tells the door when Keystone could not be asked; the middleware itself would call the token invalid."""

    def fetch_token(self, token: str, **options: Any) -> Any:
        """Look the token up, here or in Keystone."""
        try:
            return super().fetch_token(token, **options)
        except auth_token.InvalidToken as error:
            if isinstance(error.__context__, _NO_ANSWER):
                raise _Unheard from error
            raise
        except exceptions.ClientException as error:
            raise _Unheard from error

    def process_request(self, request: Any) -> Any:
        """Put the caller's identity into the request's headers, as far as it is known."""
        try:
            return super().process_request(request)
        except _Unheard:
            request.environ[UNHEARD] = True
            return None


def protect(app: "WSGIApplication", conf: cfg.ConfigOpts) -> "WSGIApplication":
    """Put keystonemiddleware before the door; it reads section [keystone_authtoken] of `conf`.

    The decision is left to the door, which has a few resources that need no token.
    """
    options = {"delay_auth_decision": True, "oslo_config_config": conf}
    return cast("WSGIApplication", _AuthToken(app, options))
