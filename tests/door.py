"""The door in memory, on a SQLite store of its own; a test may put a worker behind it."""

import functools
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from falcon import testing
from oslo_config import cfg
from sqlalchemy import select, update

from instar.control.api.app import make_app
from instar.control.api.policies import Gate
from instar.control.api.request_ids import RequestIds
from instar.control.api.tokens import Holder, StaticTokens
from instar.control.catalog import register
from instar.control.operations.desk import Desk
from instar.control.providers.base import Abilities, FlavorSpec
from instar.control.store.sealing import Sealer
from instar.control.store.session import Store
from instar.control.store.tables import Base, DatastoreVersion, Instance, Operation
from instar.wire.agent import Manifest
from instar.wire.ids import new_id

HOLDERS = {
    "admin-token": Holder(project="acme", user="root", roles=["admin"]),
    "acme-token": Holder(project="acme", user="alice", roles=["member"]),
    "operator-token": Holder(project="ops", user="olga", roles=["admin"]),
    "rival-token": Holder(project="rival", user="mallory", roles=["member"]),
}
FLAVORS = [FlavorSpec("1", "small", 512, 1), FlavorSpec("m.large", "large", 4096, 2)]
VERSIONS = ("16.4", "17.10", "18.6")


@dataclass
class Door:
    """The app with its store; `as_(token)` gives a client that sends the token."""

    store: Store
    desk: Desk
    app: Any
    versions: dict[str, str]

    def as_(self, token: str) -> testing.TestClient:
        return testing.TestClient(self.app, headers={"X-Auth-Token": token})

    def create(self, name: str = "db", version: str = "17.10", token: str = "acme-token") -> str:
        """Create an instance through the door; it stays in BUILD, for there is no worker."""
        holder = HOLDERS[token]
        body = {
            "instance": {
                "name": name,
                "flavorRef": "1",
                "volume": {"size": 1},
                "datastore": {"type": "postgresql", "version": version},
            }
        }
        made = self.as_(token).simulate_post(f"/v1.0/{holder.project}/instances", json=body)
        assert made.status_code == 200, made.text
        return str(made.json["instance"]["id"])

    def serving_instance(self) -> str:
        """Make an instance that is ACTIVE without a worker's doing."""
        with self.store.begin() as session:
            now = self.store.now(session)
            instance = Instance(
                id=new_id(),
                project="acme",
                name="serving",
                version_id=self.versions["17.10"],
                flavor_id="1",
                volume_size=1,
                status="ACTIVE",
                service_status="HEALTHY",
                service_reason="",
                next_check=now,
                created=now,
                updated=now,
                deleted=False,
            )
            session.add(instance)
        return instance.id

    def settle(self, instance_id: str, **facts: Any) -> None:
        """Put an instance at rest, as a worker would leave it."""
        facts = {"status": "ACTIVE", "service_status": "HEALTHY", "address": "127.0.0.9"} | facts
        with self.store.begin() as session:
            session.execute(update(Instance).where(Instance.id == instance_id).values(**facts))
            done = {"state": "SUCCEEDED", "slot": None, "due_at": None, "ended": self.store.now(session)}
            session.execute(update(Operation).where(Operation.instance_id == instance_id).values(**done))


def make_door(folder: Path, answer_timeout: float = 5.0) -> Door:
    """Make a door with three versions of PostgreSQL registered and a token for each of `HOLDERS`."""
    records = folder / "records.db"
    records.write_bytes(_blank_records())
    store = Store(f"sqlite:///{records}")
    conf = cfg.ConfigOpts()
    conf([], project="instar", default_config_files=[], default_config_dirs=[])
    desk = Desk(
        store,
        Sealer(Fernet.generate_key()),
        lambda: FLAVORS,
        Abilities(),
        lambda tags: "sha256:tagged" if "postgresql" in tags else None,
        answer_timeout=answer_timeout,
    )
    with store.read() as session:
        versions = {row.name: row.id for row in session.execute(select(DatastoreVersion)).scalars()}
    return Door(store, desk, RequestIds(StaticTokens(make_app(desk, Gate(conf)), HOLDERS)), versions)


@functools.cache
def _blank_records() -> bytes:
    """The file of a record store with nothing but the versions: made once, as it takes a while."""
    with tempfile.TemporaryDirectory() as folder:
        records = Path(folder) / "records.db"
        store = Store(f"sqlite:///{records}")
        Base.metadata.create_all(store.engine)
        with store.begin() as session:
            for name in VERSIONS:
                register.register_image(session, f"sha256:{name}", _manifest(name))
        store.close()
        return records.read_bytes()


def _manifest(name: str) -> Manifest:
    return Manifest(
        recipe="test",
        datastore="postgresql",
        manager="postgresql",
        engine_version=name,
        version_name=name,
        agent_version="1",
    )
