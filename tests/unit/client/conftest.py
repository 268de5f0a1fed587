"""A client of the stub."""

import pytest

from control_plane_stub import PROJECT, TOKEN, Stub, stub, stub_server
from instar.client import Client

__all__ = ["client", "stub", "stub_server"]


@pytest.fixture
def client(stub: Stub) -> Client:
    return Client(endpoint=stub.endpoint, project=PROJECT, token=TOKEN)
