"""Datastores: the kinds of database on offer."""

from instar.client._http import Http, segment
from instar.client._names import Named
from instar.wire.rest import Datastore, DatastoreAnswer, DatastoresAnswer


class Datastores:
    """Look at datastores; each carries its versions."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def list(self) -> list[Datastore]:
        """List all datastores with their versions."""
        return self._http.get("/datastores", DatastoresAnswer).datastores

    def get(self, datastore: str | Named) -> Datastore:
        """Read a datastore. Raises NotFound."""
        given = datastore if isinstance(datastore, str) else datastore.id
        return self._http.get(f"/datastores/{segment(given)}", DatastoreAnswer).datastore
