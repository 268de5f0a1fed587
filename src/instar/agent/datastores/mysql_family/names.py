"""Which names of databases and users, and which hosts, are taken from outside."""

import re

from instar.wire.errors import BadRequest

LONGEST_DATABASE = 64
LONGEST_USER = 32
"""Letters: MySQL's limit. MariaDB takes 80, which its own tools cut in many a place."""

RESERVED_DATABASES = frozenset({"mysql", "information_schema", "performance_schema", "sys", "lost+found"})
RESERVED_USERS = frozenset(
    {"root", "mysql", "public", "none", "current_user", "current_role", "session_user", "debian-sys-maint"}
)
_PREFIXES = ("instar_",)
_USER_PREFIXES = (*_PREFIXES, "mysql.", "mariadb.")
_DATABASE_PREFIXES = (*_PREFIXES, "#mysql50#")
_HOST = re.compile(r"[0-9A-Fa-f.:%_/]{1,60}")


def check_database(name: str, field: str) -> None:
    """Raise BadRequest, naming the field, unless a user's database may have this name."""
    _check(name, field, LONGEST_DATABASE, is_reserved_database(name))


def check_user(name: str, field: str) -> None:
    """Raise BadRequest, naming the field, unless a user may have this name."""
    _check(name, field, LONGEST_USER, is_reserved_user(name))


def check_host(host: str, field: str) -> None:
    """Raise BadRequest, naming the field, unless clients may be let in from there."""
    if not _HOST.fullmatch(host):
        raise BadRequest(
            f"{field} must be an address, a network such as 10.1.0.0/255.255.0.0, or a pattern with % and _",
            remedy="The database resolves no names: give addresses.",
        )


def is_reserved_database(name: str) -> bool:
    """Tell whether a database is the server's or ours, not the user's."""
    return name.lower() in RESERVED_DATABASES or name.lower().startswith(_DATABASE_PREFIXES)


def is_reserved_user(name: str) -> bool:
    """Tell whether an account is the server's or ours, not the user's; an anonymous one is nobody's."""
    return not name or name.lower() in RESERVED_USERS or name.lower().startswith(_USER_PREFIXES)


def _check(name: str, field: str, longest: int, reserved: bool) -> None:
    if not name:
        raise BadRequest(f"{field} must not be empty")
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in name):
        raise BadRequest(f"{field} must not hold control characters")
    if any(ord(letter) > 0xFFFF or 0xD800 <= ord(letter) < 0xE000 for letter in name):
        raise BadRequest(f"{field} must hold letters of Unicode's basic plane only")
    if len(name) > longest:
        raise BadRequest(f"{field} may have at most {longest} letters", seen=f"{len(name)} letters")
    if name != name.strip():
        raise BadRequest(f"{field} must not begin or end with a space")
    if reserved:
        raise BadRequest(f"{field} {name!r} is reserved", remedy="Choose another name.")
