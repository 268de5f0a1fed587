"""What tests of stock clients ask for: a control plane in a real Keystone's catalogue, and users' clients."""

from collections.abc import Iterator

import pytest
from served import Served, served
from stock_clients import StockClients, account, stock_clients

import keystone_server


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Keystone and Instar."""
    with (
        keystone_server.keystone() as keystone,
        served(tmp_path_factory.mktemp("instar"), keystone) as made,
    ):
        yield made


@pytest.fixture(scope="session")
def alice(cloud: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StockClients]:
    """A member's clients."""
    with stock_clients(
        account(cloud.keystone.url, "alice", "acme"), tmp_path_factory.mktemp("alice")
    ) as clients:
        yield clients


@pytest.fixture(scope="session")
def root(cloud: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StockClients]:
    """An administrator's clients, in the same project."""
    with stock_clients(
        account(cloud.keystone.url, "root", "acme"), tmp_path_factory.mktemp("root")
    ) as clients:
        yield clients


@pytest.fixture(scope="session")
def mallory(cloud: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StockClients]:
    """Clients of a member of another project."""
    with stock_clients(
        account(cloud.keystone.url, "mallory", "rival"), tmp_path_factory.mktemp("mallory")
    ) as clients:
        yield clients
