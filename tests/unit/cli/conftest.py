"""A command line that talks to the stub."""

import pytest

from control_plane_stub import PROJECT, TOKEN, Stub, socket, stub

__all__ = ["control_plane", "socket", "stub"]


@pytest.fixture
def control_plane(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> Stub:
    """Have the command line talk to the stub."""
    for word, value in (("ENDPOINT", stub.endpoint), ("PROJECT", PROJECT), ("TOKEN", TOKEN)):
        monkeypatch.setenv(f"INSTAR_{word}", value)
    return stub
