"""The users of a fake guest's database: by name and host, as engines of MySQL's family know them."""

from typing import Any

from instar.wire.agent import UserSpec
from instar.wire.errors import BadRequest, NotFound

ANY_HOST = "%"
ROOT = "root"
USER_HOOKS = frozenset(
    {"list_users", "create_users", "update_user", "delete_user", "grant", "revoke"}
    | {"root_enabled", "enable_root", "disable_root"}
)


def name_of(user: dict[str, Any]) -> str:
    """Name a user as lists do: the host only where it is not any."""
    host = user.get("host") or ANY_HOST
    return str(user["name"]) if host == ANY_HOST else f"{user['name']}@{host}"


class FakeUsers:
    """Hooks on users; `users` holds what was asked for, by the names of `name_of`."""

    users: dict[str, dict[str, Any]]

    def list_users(self) -> dict[str, Any]:
        """List all but root."""
        return {"users": [self.users[name] for name in sorted(self.users) if name != ROOT]}

    def create_users(self, users: list[dict[str, Any]]) -> None:
        """Make users. Raises BadRequest when one exists."""
        for user in users:
            if name_of(user) in self.users:
                raise BadRequest(f"User {name_of(user)} exists already")
            self.users[name_of(user)] = user

    def update_user(self, name: str, host: str, change: dict[str, Any]) -> None:
        """Rename a user or set its password. Raises NotFound."""
        user = self._take(name, host)
        changed = {**user, **{key: value for key, value in change.items() if value is not None}}
        self.users[name_of(changed)] = changed | {"databases": user.get("databases", [])}

    def delete_user(self, name: str, host: str) -> None:
        """Drop a user. Raises NotFound."""
        self._take(name, host)

    def grant(self, name: str, host: str, databases: list[str]) -> None:
        """Let a user use databases. Raises NotFound."""
        user = self._take(name, host)
        self.users[name_of(user)] = user | {"databases": sorted({*user.get("databases", []), *databases})}

    def revoke(self, name: str, host: str, database: str) -> None:
        """Take that back. Raises NotFound."""
        user = self._take(name, host)
        left = [each for each in user.get("databases", []) if each != database]
        self.users[name_of(user)] = user | {"databases": left}

    def root_enabled(self) -> dict[str, Any]:
        """Tell whether root was let in."""
        return {"enabled": ROOT in self.users}

    def enable_root(self, password: str) -> dict[str, Any]:
        """Let root in."""
        user = UserSpec(name=ROOT, password=password)
        self.users[ROOT] = user.model_dump()
        return self.users[ROOT]

    def disable_root(self) -> None:
        """Shut root out."""
        self.users.pop(ROOT, None)

    def _take(self, name: str, host: str) -> dict[str, Any]:
        user = self.users.pop(name_of({"name": name, "host": host}), None)
        if user is None:
            raise NotFound(f"User {name}@{host} cannot be found.")
        return user
