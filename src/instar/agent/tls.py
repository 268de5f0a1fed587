"""Mutual TLS: who may speak to this agent, and cheroot's end of it."""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cheroot.makefile import MakeFile
from cheroot.server import HTTPConnection
from cheroot.ssl import Adapter

from instar.wire import agent as wire
from instar.wire.errors import Forbidden, GuestError

CONTROL_PLANE = "instar-control-plane"
"""Common name of the only client certificate that is let in."""

PEER = "instar.peer_certificate"
"""WSGI environment key of a function that gives the client's verified certificate."""


def server_context(root: Path) -> ssl.SSLContext:
    """Make the context of the agent's end: TLS 1.2 or newer, a client certificate of our authority required.

    Raises GuestError naming the file that can't be used.
    """
    certificate, key, authority = (
        root / name for name in (wire.TLS_CERTIFICATE, wire.TLS_KEY, wire.TLS_AUTHORITY)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_verify_locations(authority)
    except (OSError, ssl.SSLError) as error:
        raise _unusable(f"certificate authority {authority}", error) from error
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise _unusable(f"certificate {certificate} with key {key}", error) from error
    return context


def admit(certificate: Mapping[str, Any] | None) -> None:
    """Raise Forbidden unless a verified certificate is the control plane's."""
    names = [
        value
        for relative in (certificate or {}).get("subject", ())
        for key, value in relative
        if key == "commonName"
    ]
    if names != [CONTROL_PLANE]:
        raise Forbidden(
            "Only the control plane's certificate is let in", seen=f"common name {', '.join(names)!r}"
        )


class LazyHandshake(Adapter):
    """Leaves the handshake to the thread that serves the connection: a silent peer holds up nobody else."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context

    def bind(self, sock: Any) -> Any:
        return sock

    def wrap(self, sock: Any) -> tuple[ssl.SSLSocket, dict[str, Any]]:
        wrapped = self.context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        return wrapped, self.get_environ(wrapped)

    def get_environ(self, sock: ssl.SSLSocket | None = None) -> dict[str, Any]:
        return {"wsgi.url_scheme": "https", "HTTPS": "on", PEER: sock and sock.getpeercert}

    def makefile(self, sock: Any, mode: str = "r", bufsize: int = -1) -> Any:
        return MakeFile(sock, mode, bufsize)


class Connection(HTTPConnection):
    """A connection that shakes hands before its first request."""

    shaken = False

    def communicate(self) -> bool:
        """Serve one request; tells whether the connection stays open."""
        if not self.shaken:
            try:
                self.socket.do_handshake()
            except OSError:
                return False
            self.shaken = True
        return bool(super().communicate())  # type: ignore[no-untyped-call]


def _unusable(what: str, error: Exception) -> GuestError:
    return GuestError(
        f"The TLS {what} can't be used",
        seen=str(error),
        remedy="Have the control plane inject the files again.",
    )
