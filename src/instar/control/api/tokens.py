"""Authentication for one machine: tokens from a file, standing where keystonemiddleware would stand."""

import hmac
import json
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, TypeAdapter, ValidationError

from instar.control.store.private import write_private
from instar.wire.errors import InstarError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_IDENTITY = ("HTTP_X_IDENTITY_STATUS", "HTTP_X_PROJECT_ID", "HTTP_X_USER_ID", "HTTP_X_ROLES")


class Holder(BaseModel):
    """Whose a token is."""

    project: str
    user: str
    roles: list[str] = []


class StaticTokens:
    """WSGI middleware that sets the identity headers keystonemiddleware would set.

    It passes unknown callers on unconfirmed (`delay_auth_decision` in keystonemiddleware's words): the door
    decides what needs a token.
    """

    def __init__(self, app: "WSGIApplication", holders: Mapping[str, Holder]) -> None:
        self._app = app
        self._holders = {token.encode(): holder for token, holder in holders.items()}

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Put the caller's identity, or none, in the place of whatever identity the request claims."""
        holder = self._holder(environ.get("HTTP_X_AUTH_TOKEN", ""))
        claims = (
            ("Confirmed", holder.project, holder.user, ",".join(holder.roles)) if holder else ("Invalid",) * 4
        )
        return self._app({**environ, **dict(zip(_IDENTITY, claims, strict=True))}, start_response)

    def _holder(self, token: str) -> Holder | None:
        """Compare with every token, in a time that tells nothing of where they differ."""
        given = token.encode("utf-8", "surrogateescape")
        found = [holder for known, holder in self._holders.items() if hmac.compare_digest(known, given)]
        return found[0] if found else None


def read(path: Path) -> dict[str, Holder]:
    """Read a token file: a JSON object, token -> {project, user, roles}. Raises InstarError."""
    try:
        return TypeAdapter(dict[str, Holder]).validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        seen = (
            error.strerror or ""
            if isinstance(error, OSError)
            else f"{error.error_count()} mistakes in its JSON"
        )
        raise InstarError(
            f"The token file {path} can't be read",
            seen=seen,
            remedy='It is a JSON object: {"<token>": {"project": "...", "user": "...", "roles": ["admin"]}}',
        ) from None


def ensure(path: Path, holder: Holder) -> dict[str, Holder]:
    """Read the token file, making one (mode 0600) with a fresh token for `holder` when there is none."""
    if not path.exists():
        write_private(path, json.dumps({secrets.token_urlsafe(32): holder.model_dump()}, indent=2))
    return read(path)
