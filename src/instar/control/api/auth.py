"""Who sends a request: one shape, whichever middleware in front of the door found it out."""

from dataclasses import dataclass

import falcon

from instar.wire.errors import Unauthorized, Unavailable

UNHEARD = "instar.identity_unheard"
"""Set in the WSGI environment of a request whose token the identity service could not be asked about."""


@dataclass(frozen=True)
class Identity:
    """A caller with a valid token."""

    project: str
    user: str
    roles: tuple[str, ...] = ()


def identify(req: falcon.Request) -> Identity:
    """Read the headers that `StaticTokens` or keystonemiddleware has set.

    Raises Unauthorized, and Unavailable when nobody knows.
    """
    if req.env.get(UNHEARD):
        raise Unavailable(
            "The identity service does not answer, so whether the token is valid is unknown",
            remedy="Try again shortly",
            retryable=True,
        )
    if req.get_header("X-Identity-Status") != "Confirmed":
        raise Unauthorized(
            "The request you have made requires authentication",
            seen="an X-Auth-Token that is not valid here"
            if req.get_header("X-Auth-Token")
            else "no X-Auth-Token",
        )
    roles = (req.get_header("X-Roles") or "").split(",")
    return Identity(
        project=req.get_header("X-Project-Id") or "",
        user=req.get_header("X-User-Id") or "",
        roles=tuple(role.strip() for role in roles if role.strip()),
    )
