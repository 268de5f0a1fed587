"""Datastore versions: what instances can run, and the management of that list."""

from collections.abc import Iterable
from typing import Any

from instar.client import _answers
from instar.client._datastores import Datastores
from instar.client._http import Http, segment
from instar.client._names import Named, only
from instar.wire.ids import is_id
from instar.wire.rest import (
    CreateVersionRequest,
    DatastoreVersion,
    UpdateVersion,
    VersionAnswer,
    VersionsAnswer,
)


class Versions:
    """`create`, `update` and `delete` need an administrator's token."""

    def __init__(self, http: Http, datastores: Datastores) -> None:
        self._http = http
        self._datastores = datastores

    def list(self, datastore: str | Named | None = None) -> list[DatastoreVersion]:
        """List the versions of one datastore, or of all."""
        if datastore is None:
            return [version for one in self._datastores.list() for version in one.versions]
        given = datastore if isinstance(datastore, str) else datastore.id
        return self._http.get(f"/datastores/{segment(given)}/versions", VersionsAnswer).versions

    def get(self, version: str | Named, datastore: str | Named | None = None) -> DatastoreVersion:
        """Read a version; a name is looked for in `datastore`, or in all. Raises NotFound or Ambiguous."""
        given = self._resolve(version, datastore)
        return self._http.get(f"/datastores/versions/{segment(given)}", VersionAnswer).version

    def create(
        self,
        datastore: str,
        name: str,
        *,
        manager: str,
        image: str | None = None,
        active: bool = True,
        **more: Any,
    ) -> DatastoreVersion:
        """Register a version: `image` is the provider's image, `manager` the agent's datastore plug-in.

        `more` are further keys of the REST request: `image_tags` (in place of an image, the newest that has
        them all is meant), `default`, `version`, `upgrade_from`, `packages`, ...
        A datastore that is not there yet is made. Raises BadRequest naming the field.
        """
        fields = {
            "datastore_name": datastore,
            "name": name,
            "datastore_manager": manager,
            "image": image,
            "active": active,
        }
        body = _answers.build(CreateVersionRequest, version=fields | more)
        self._http.request("POST", "/mgmt/datastore-versions", json=body)
        return only("version", name, self.list(datastore))

    def update(
        self, version: str | Named, datastore: str | Named | None = None, **changes: Any
    ) -> DatastoreVersion:
        """Change a version: any of `name`, `image`, `active`, `default`, `upgrade_from`, ...

        >>> client.versions.update("18.6", "postgresql", active=False)
        """
        given = self._resolve(version, datastore)
        body = _answers.build(UpdateVersion, **changes)
        self._http.request("PATCH", f"/mgmt/datastore-versions/{segment(given)}", json=body)
        return self.get(given)

    def delete(self, version: str | Named, datastore: str | Named | None = None) -> None:
        """Delete a version. Raises BadRequest while something uses it."""
        given = self._resolve(version, datastore)
        self._http.request("DELETE", f"/mgmt/datastore-versions/{segment(given)}")

    def _resolve(self, version: str | Named, datastore: str | Named | None) -> str:
        if not isinstance(version, str):
            return version.id
        candidates: Iterable[DatastoreVersion] = () if is_id(version) else self.list(datastore)
        return version if is_id(version) else only("version", version, candidates).id
