"""A client of the stub."""

import pytest

from control_plane_stub import PROJECT, TOKEN, Stub, socket, stub
from instar.client import Client

__all__ = ["client", "socket", "stub"]


@pytest.fixture
def client(stub: Stub) -> Client:
    return Client(endpoint=stub.endpoint, project=PROJECT, token=TOKEN)
