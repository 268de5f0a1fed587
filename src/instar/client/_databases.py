"""The databases within an instance."""

from collections.abc import Iterator

from instar.client import _answers
from instar.client._http import Http, segment
from instar.client._instances import Instances
from instar.client._names import Named
from instar.wire.rest import CreateDatabasesRequest, Database, DatabasesAnswer


class Databases:
    """List, create and delete databases; all need the instance to be up."""

    def __init__(self, http: Http, instances: Instances) -> None:
        self._http = http
        self._instances = instances

    def list(self, instance: str | Named) -> Iterator[Database]:
        """List an instance's databases, sorted by name."""
        pages = self._http.pages(self._path(instance), DatabasesAnswer)
        return (database for page in pages for database in page.databases)

    def create(
        self,
        instance: str | Named,
        *names: str,
        character_set: str | None = None,
        collate: str | None = None,
    ) -> None:
        """Create databases, whose text is of a character set and ordered as `collate` says.

            >>> client.databases.create("demo", "orders", "stock")

        Raises BadRequest when one exists, or the engine does not know the character set or the collation.
        """
        text = {"character_set": character_set, "collate": collate}
        given = {field: value for field, value in text.items() if value is not None}
        body = _answers.build(CreateDatabasesRequest, databases=[{"name": name, **given} for name in names])
        self._http.request("POST", self._path(instance), json=body)

    def delete(self, instance: str | Named, name: str) -> None:
        """Delete a database with its data. Raises NotFound."""
        self._http.request("DELETE", f"{self._path(instance)}/{segment(name)}")

    def _path(self, instance: str | Named) -> str:
        return f"{self._instances.path(instance)}/databases"
