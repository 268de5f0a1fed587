"""Instances: list, look, and ask for changes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import requests

from instar.client import _answers
from instar.client._http import OPERATION, Http, segment
from instar.client._names import Named, only
from instar.client._operations import Operations
from instar.client.errors import NotFound
from instar.wire.ids import is_id
from instar.wire.rest import (
    CreateInstanceRequest,
    DatastoreVersion,
    Flavor,
    Instance,
    InstanceAnswer,
    InstancesAnswer,
    Operation,
    UpdateInstanceRequest,
    VersionsAnswer,
)


class Instances:
    """Changes answer with the operation that carries them out; None of a control plane that has none."""

    def __init__(self, http: Http, operations: Operations) -> None:
        self._http = http
        self._operations = operations

    def list(self, *, limit: int | None = None, marker: str | None = None) -> Iterator[Instance]:
        """List instances, newest first: at most `limit` of them, those after the id `marker`.

        Pages are fetched as they are needed.
        """
        return self._list("/instances", limit, marker)

    def detail(self, *, limit: int | None = None, marker: str | None = None) -> Iterator[Instance]:
        """List instances as `list` does, with all their fields."""
        return self._list("/instances/detail", limit, marker)

    def get(self, instance: str | Named) -> Instance:
        """Read an instance. Raises NotFound, or Ambiguous when several have the name."""
        return self._http.get(self.path(instance), InstanceAnswer).instance

    def create(
        self,
        name: str,
        *,
        flavor: str | Flavor,
        volume_size: int,
        datastore: str | None = None,
        version: str | Named | None = None,
        databases: Iterable[str] = (),
        users: Iterable[Mapping[str, Any]] = (),
        **more: Any,
    ) -> Instance:
        """Create an instance of a flavor (its id, or an object): `volume_size` in GiB.

            >>> client.instances.create("demo", flavor="1", volume_size=1, version="17.10")

        Datastore and version default to the control plane's. A user is a mapping as in the REST request:
        `name`, `password`, `databases` as `[{"name": ...}]`;
        `more` are further keys of that request. The answer's `operation` has the id of the operation that
        builds it. Raises BadRequest naming the field.
        """
        wanted = {"type": datastore, "version": _reference(version)}
        fields: dict[str, Any] = {
            "name": name,
            "flavorRef": flavor if isinstance(flavor, str) else flavor.str_id,
            "volume": {"size": volume_size},
            "datastore": {key: value for key, value in wanted.items() if value},
            "databases": [{"name": database} for database in databases],
            "users": [dict(user) for user in users],
        }
        fields = {key: value for key, value in fields.items() if value not in ({}, [], None)} | more
        response = self._http.request(
            "POST", "/instances", json=_answers.build(CreateInstanceRequest, instance=fields)
        )
        instance = _answers.parse(InstanceAnswer, response).instance
        if instance.operation is None and OPERATION in response.headers:
            instance.operation = {"id": response.headers[OPERATION]}
        return instance

    def rename(self, instance: str | Named, name: str) -> None:
        """Give an instance another name."""
        self._update(self.path(instance), name=name)

    def upgrade(
        self,
        instance: str | Named,
        datastore_version: str | Named,
        *,
        method: str | None = None,
        snapshot: str | None = None,
        on_failure: str | None = None,
        text_ordering: str | None = None,
        strategy: str | None = None,
        plan: str | None = None,
        force: bool = False,
    ) -> Operation | None:
        """Move an instance onto the image of a datastore version; each may be an id, a name or an object.

            >>> plan = client.plans.make("demo", "18.6")
            >>> operation = client.instances.upgrade("demo", "18.6", plan=plan.hash)

        `method` says how data files cross to another format: for PostgreSQL link (the default), clone or
        copy; MariaDB's are converted in place. `snapshot` says whether the volume's state is kept: auto,
        always or never; `on_failure` where a failure in the downtime leads: error or rollback; what
        becomes of indexes that another glibc or ICU orders otherwise is `text_ordering`: rebuild, block or
        warn. `strategy` is rebuild (the server's root disk is replaced), replace (another server is booted
        beforehand and takes its place) or auto. With `plan`, the hash of a plan, its options hold, and the
        upgrade is refused before any downtime when anything that the plan depends on has changed. With
        `force`, it goes on where the plan's findings block, except over what can never work, and the
        operation tells what it went over
        (`overridden`); the guest itself still refuses what would harm.

        Raises NotFound for an unknown version, BadRequest with the versions that can be reached for a
        forbidden one, Busy naming the operation in the way.
        """
        path = self.path(instance)
        options: dict[str, Any] = {"method": method, "snapshot": snapshot, "on_failure": on_failure}
        options |= {"text_ordering": text_ordering, "strategy": strategy}
        options |= {"plan": plan, "force": force or None}
        fields = {f"upgrade_{name}": value for name, value in options.items() if value is not None}
        changed = self._update(path, datastore_version=_reference(datastore_version), **fields)
        return self._started(path, changed)

    def rollback(self, instance: str | Named, *, discard_writes_since: str | None = None) -> Operation | None:
        """Undo an instance's last upgrade, while its undo window is open (`instance.undo` tells).

            >>> client.instances.rollback("demo")

        Where the data format has changed, it goes back to a snapshot, and what was written since is lost:
        `discard_writes_since` has to be that snapshot's time, `instance.undo.loses_writes_since`. Raises
        NeedsConsent where it is not, and Busy, saying why, when there is nothing to undo.
        """
        since = {} if discard_writes_since is None else {"discard_writes_since": discard_writes_since}
        return self._act(instance, "rollback", since)

    def set_access(
        self,
        instance: str | Named,
        *,
        is_public: bool | None = None,
        allowed_cidrs: Sequence[str] | None = None,
    ) -> Operation | None:
        """Say who may reach an instance's port; None where the provider was not asked for anything.

            >>> client.instances.set_access("demo", allowed_cidrs=["10.0.0.0/8"])

        Raises BadRequest for what is no network, NotSupported where nobody can be kept out, Busy.
        """
        wanted = {"is_public": is_public, "allowed_cidrs": allowed_cidrs}
        path = self.path(instance)
        sent = {name: value for name, value in wanted.items() if value is not None}
        response = self._update(path, access=sent)
        return self._started(path, response) if OPERATION in response.headers else None

    def set_undo_window(self, instance: str | Named, seconds: float | None) -> None:
        """Say for how long the instance's upgrades can be undone, from the next one on; None: the default."""
        self._update(self.path(instance), undo_window=seconds)

    def restart(self, instance: str | Named) -> Operation | None:
        """Stop and start the database. Raises Busy."""
        return self._act(instance, "restart")

    def reboot(self, instance: str | Named) -> Operation | None:
        """Boot an instance's server again; the database is stopped cleanly before, where it can be.

            >>> client.instances.reboot("demo")

        Raises Busy.
        """
        return self._act(instance, "reboot")

    def resize(self, instance: str | Named, flavor: str | Flavor) -> Operation | None:
        """Give an instance another flavor (its id, or an object), for which its database is down for a while.

            >>> client.instances.resize("demo", "2")

        A server on which the database does not come up gets its old size again. Raises BadRequest for a
        flavor that is unknown or the instance's own, NotSupported where the provider can't, Busy.
        """
        wanted = flavor if isinstance(flavor, str) else flavor.str_id
        return self._act(instance, "resize", {"flavorRef": wanted})

    def resize_volume(self, instance: str | Named, size: int) -> Operation | None:
        """Have an instance's volume grow to `size` GiB, while its database serves.

            >>> client.instances.resize_volume("demo", 2)

        Raises BadRequest for a size that is not larger, NotSupported where the provider can't, Busy.
        """
        return self._act(instance, "resize", {"volume": {"size": size}})

    def delete(self, instance: str | Named) -> Operation | None:
        """Delete an instance with its data. Raises Busy."""
        path = self.path(instance)
        return self._started(path, self._http.request("DELETE", path))

    def force_delete(self, instance: str | Named) -> Operation | None:
        """Delete an instance with its data in whatever state it is; its open operation is ended first."""
        return self._act(instance, "force_delete")

    def reset_status(self, instance: str | Named) -> None:
        """End an instance's open operation that nobody works on, as failed; for administrators.

        The instance is left in ERROR unless nothing had been done yet. Raises Busy while a worker is at work
        on the operation.
        """
        self._http.request("POST", f"{self.path(instance)}/action", json={"reset_status": {}})

    def stop(self, instance: str | Named) -> Operation | None:
        """Stop an instance's database; a restart starts it again. For administrators. Raises Busy."""
        return self._manage(instance, "stop")

    def rebuild(self, instance: str | Named, image: str | None = None) -> Operation | None:
        """Put its version's image, or the one named, onto an instance, as an upgrade does.

        For administrators. Raises Busy; what an image that does not fit is refused for, the operation tells.
        """
        return self._manage(instance, "rebuild", {"image_id": image} if image else {})

    def operations(self, instance: str | Named, *, limit: int | None = None) -> Iterator[Operation]:
        """List an instance's operations, newest first, without their steps."""
        return self._operations.list(self.resolve(instance), limit=limit)

    def reachable_versions(self, instance: str | Named) -> Sequence[DatastoreVersion]:
        """List the versions that an upgrade can take this instance to."""
        return self._http.get(f"{self.path(instance)}/versions", VersionsAnswer).versions

    def resolve(self, instance: str | Named) -> str:
        """Give an instance's id, looking its name up where need be. Raises NotFound or Ambiguous."""
        if not isinstance(instance, str):
            return instance.id
        return instance if is_id(instance) else only("instance", instance, self.list()).id

    def path(self, instance: str | Named) -> str:
        """Give an instance's path below the project's."""
        return f"/instances/{segment(self.resolve(instance))}"

    def _list(self, path: str, limit: int | None, marker: str | None) -> Iterator[Instance]:
        pages = self._http.pages(path, InstancesAnswer, limit, marker)
        return (instance for page in pages for instance in page.instances)

    def _update(self, path: str, **fields: Any) -> requests.Response:
        return self._http.request("PATCH", path, json=_answers.build(UpdateInstanceRequest, instance=fields))

    def _act(
        self, instance: str | Named, verb: str, params: Mapping[str, Any] | None = None
    ) -> Operation | None:
        path = self.path(instance)
        body = {verb: dict(params or {})}
        return self._started(path, self._http.request("POST", f"{path}/action", json=body))

    def _manage(
        self, instance: str | Named, verb: str, params: Mapping[str, Any] | None = None
    ) -> Operation | None:
        """Act as administrators do; an instance is named by its id where it is another project's."""
        path = self.path(instance)
        response = self._http.request("POST", f"/mgmt{path}/action", json={verb: dict(params or {})})
        try:
            return self._started(path, response)
        except NotFound:  # the operation is another project's
            return None

    def _started(self, path: str, response: requests.Response) -> Operation | None:
        """Find the operation that a request has started: as its answer says, else the instance's newest."""
        if operation_id := response.headers.get(OPERATION):
            return self._operations.get(operation_id)
        try:
            return next(self._operations.list(path.rpartition("/")[2], limit=1), None)
        except NotFound:
            return None


def _reference(version: str | Named | None) -> str | None:
    return version if version is None or isinstance(version, str) else version.id
