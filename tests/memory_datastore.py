"""A datastore in memory behind the agent's own table of hooks, and a worker that asks it."""

from collections.abc import Mapping
from typing import Any

from door import Door
from instar.agent import hooks
from instar.agent.datastores.base import Datastore
from instar.control.engine.runner import Work
from instar.control.engine.worker import Worker, WorkerSettings
from instar.control.guests.fake_outages import FakeOutages
from instar.control.operations.context import Context
from instar.control.operations.stories import STORIES
from instar.control.providers.fake import FakeProvider
from instar.wire.agent import DatabaseSpec, UserSpec
from instar.wire.errors import BadRequest, NotFound


class MemoryDatastore(Datastore):
    """Databases, users and root, kept in dictionaries."""

    name = "memory"

    def __init__(self) -> None:
        self.databases: dict[str, DatabaseSpec] = {}
        self.users: dict[tuple[str, str], UserSpec] = {}
        self.root: str | None = None

    def list_databases(self) -> list[DatabaseSpec]:
        return [self.databases[name] for name in sorted(self.databases)]

    def create_databases(self, databases: list[DatabaseSpec]) -> None:
        for database in databases:
            if database.name in self.databases:
                raise BadRequest(f"Database {database.name} exists")
            self.databases[database.name] = database

    def delete_database(self, name: str) -> None:
        _take(self.databases, name)

    def list_users(self) -> list[UserSpec]:
        return [self.users[key] for key in sorted(self.users)]

    def create_users(self, users: list[UserSpec]) -> None:
        for user in users:
            if (user.name, user.host) in self.users:
                raise BadRequest(f"User {user.name} exists")
            self.users[user.name, user.host] = user.model_copy()

    def update_user(self, name: str, host: str, change: UserSpec) -> None:
        user = _take(self.users, (name, host))
        changed = {"name": change.name, "host": change.host, "password": change.password or user.password}
        self.users[change.name, change.host] = user.model_copy(update=changed)

    def delete_user(self, name: str, host: str) -> None:
        _take(self.users, (name, host))

    def grant(self, name: str, host: str, databases: list[str]) -> None:
        user = self._user(name, host)
        user.databases = sorted({*user.databases, *databases})

    def revoke(self, name: str, host: str, database: str) -> None:
        user = self._user(name, host)
        if database not in user.databases:
            raise NotFound(f"User {name} may not use {database}")
        user.databases = [granted for granted in user.databases if granted != database]

    def root_enabled(self) -> bool:
        return self.root is not None

    def enable_root(self, password: str) -> UserSpec:
        self.root = password
        return UserSpec(name="root", password=password)

    def disable_root(self) -> None:
        if self.root is None:
            raise NotFound("root was never enabled")
        self.root = None

    def _user(self, name: str, host: str) -> UserSpec:
        if (name, host) not in self.users:
            raise NotFound(f"User {name}@{host} cannot be found")
        return self.users[name, host]


class MemoryGuests:
    """Every instance's guest is the same one; it answers calls, and has no jobs."""

    def __init__(self) -> None:
        self.datastore = MemoryDatastore()

    def at(self, instance_id: str, address: str) -> "MemoryGuests":
        return self

    def files(self, instance_id: str, facts: dict[str, str], settings: Mapping[str, str]) -> dict[str, str]:
        return {}

    def call(self, hook: str, params: dict[str, Any]) -> dict[str, Any]:
        return hooks.call(self.datastore, hook, params)

    def passwords(self) -> dict[str, str | None]:
        return {user.name: user.password for user in self.datastore.users.values()}


def worker_of(door: Door, guests: Any) -> Worker:
    """Put a worker behind the door that looks for work every few milliseconds."""
    provider = FakeProvider()
    sealer = door.desk.sealer
    settings = WorkerSettings(threads=2, poll=0.01)

    def context(work: Work) -> Context:
        return Context(work, provider, guests, sealer, door.store, FakeOutages(lambda address: True))

    return Worker(door.store, STORIES, context, settings)


def _take(things: dict[Any, Any], key: Any) -> Any:
    if key not in things:
        raise NotFound(f"{key} cannot be found")
    return things.pop(key)
