"""The API behind servers that its operators know, on each kind of record store that their processes share."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from foreign_servers import SERVERS, foreign_server
from instar.client import Client
from instar.control.catalog import register
from instar.control.store.session import Store
from record_stores import empty_database
from world import manifest

pytestmark = pytest.mark.live


EARLY = "gunicorn, loaded before it forks"
PAIRS = [*((server, "postgresql") for server in SERVERS), (EARLY, "mariadb"), (EARLY, "sqlite")]


@pytest.fixture(params=PAIRS, ids=" on ".join)
def api(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Client]:
    """A client of the API; no worker runs, so what is created stays in BUILD."""
    server, kind = request.param
    with (
        _records(request, kind, tmp_path) as records,
        foreign_server(tmp_path, f"[store]\nurl = {records}\n", server) as url,
    ):
        store = Store(records)
        with store.begin() as session:
            register.register_image(session, "sha256:17.10", manifest("17.10"))
        store.close()
        access = json.loads((tmp_path / "client.json").read_text())
        yield Client(endpoint=url, project=access["project"], token=access["token"])


def _records(request: pytest.FixtureRequest, kind: str, folder: Path) -> AbstractContextManager[str]:
    if kind == "sqlite":
        return nullcontext(f"sqlite:///{folder / 'records.db'}")
    return empty_database(request.getfixturevalue(f"{kind}_server"))


def create(api: Client, name: str) -> str:
    """Create an instance; gives its id."""
    made = api.instances.create(name, flavor="1", volume_size=1, datastore="postgresql", version="17.10")
    return made.id


def test_many_callers_at_once_share_no_connection(api: Client) -> None:
    """Connections that a process inherits would mix up answers, or break off."""
    names = [f"db{number}" for number in range(16)]
    with ThreadPoolExecutor(8) as pool:
        made = dict(zip(names, pool.map(lambda name: create(api, name), names), strict=True))
        shown = pool.map(lambda name: api.instances.get(made[name]).name, names * 4)
        assert list(shown) == names * 4
    assert {instance.name for instance in api.instances.list()} == set(names)


def test_events_are_streamed_while_the_operation_is_open(api: Client) -> None:
    made = api.instances.get(create(api, "db"))
    assert made.operation
    assert next(iter(api.operations.follow(made.operation["id"]))).kind == "trove.create.start"
