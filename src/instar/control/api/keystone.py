"""Authentication by Keystone: keystonemiddleware in front of the door."""

from typing import TYPE_CHECKING, cast

from oslo_config import cfg

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def protect(app: "WSGIApplication", conf: cfg.ConfigOpts) -> "WSGIApplication":
    """Put keystonemiddleware before the door; it reads section [keystone_authtoken] of `conf`.

    The decision is left to the door, which has a few resources that need no token.
    """
    from keystonemiddleware import auth_token  # heavy, and one machine's static tokens do without it

    options = {"delay_auth_decision": True, "oslo_config_config": conf}
    return cast("WSGIApplication", auth_token.AuthProtocol(app, options))
