"""The users of the databases within an instance."""

from collections.abc import Iterable, Iterator
from typing import Any

from instar.client import _answers
from instar.client._http import Http, segment
from instar.client._instances import Instances
from instar.client._names import Named
from instar.wire.rest import (
    CreateUsersRequest,
    GrantRequest,
    UpdateUserRequest,
    User,
    UserAnswer,
    UsersAnswer,
)

ANY_HOST = "%"


class Users:
    """List, create, change and delete users; `host` is from where they may come, everywhere if not given."""

    def __init__(self, http: Http, instances: Instances) -> None:
        self._http = http
        self._instances = instances

    def list(self, instance: str | Named) -> Iterator[User]:
        """List an instance's users, sorted by name."""
        pages = self._http.pages(self._path(instance), UsersAnswer)
        return (user for page in pages for user in page.users)

    def get(self, instance: str | Named, name: str, host: str | None = None) -> User:
        """Read a user with the databases it may use. Raises NotFound."""
        return self._http.get(self._path(instance, name, host), UserAnswer).user

    def create(
        self,
        instance: str | Named,
        name: str,
        password: str,
        *,
        host: str | None = None,
        databases: Iterable[str] = (),
    ) -> None:
        """Create a user who may use `databases`. Raises BadRequest when it exists or a database does not."""
        user: dict[str, Any] = {"name": name, "password": password, "databases": _names(databases)}
        user |= {"host": host} if host else {}
        body = _answers.build(CreateUsersRequest, users=[user])
        self._http.request("POST", self._path(instance), json=body)

    def update(self, instance: str | Named, name: str, *, host: str | None = None, **changes: Any) -> None:
        """Change a user: any of `name`, `password`, `host`. Raises NotFound.

        >>> client.users.update("demo", "ann", password=new_password)
        """
        body = _answers.build(UpdateUserRequest, user=changes)
        self._http.request("PUT", self._path(instance, name, host), json=body)

    def delete(self, instance: str | Named, name: str, host: str | None = None) -> None:
        """Delete a user. Raises NotFound."""
        self._http.request("DELETE", self._path(instance, name, host))

    def grant(
        self, instance: str | Named, name: str, databases: Iterable[str], host: str | None = None
    ) -> None:
        """Let a user use databases. May be repeated."""
        body = _answers.build(GrantRequest, databases=_names(databases))
        self._http.request("PUT", f"{self._path(instance, name, host)}/databases", json=body)

    def revoke(self, instance: str | Named, name: str, database: str, host: str | None = None) -> None:
        """Take a grant back. Raises NotFound when there was none."""
        self._http.request("DELETE", f"{self._path(instance, name, host)}/databases/{segment(database)}")

    def _path(self, instance: str | Named, name: str | None = None, host: str | None = None) -> str:
        users = f"{self._instances.path(instance)}/users"
        if name is None:
            return users
        return f"{users}/{segment(f'{name}@{host or ANY_HOST}' if host or '@' in name else name)}"


def _names(databases: Iterable[str]) -> list[dict[str, str]]:
    return [{"name": database} for database in databases]
