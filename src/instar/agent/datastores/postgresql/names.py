"""Which names of databases and users are taken from outside."""

from instar.wire.errors import BadRequest

LONGEST = 63
"""Bytes of UTF-8; PostgreSQL cuts longer identifiers off without a word."""

RESERVED_DATABASES = frozenset(
    {"postgres", "template0", "template1", "all", "replication", "sameuser", "samerole"}
)
RESERVED_USERS = frozenset(
    {"root", "postgres", "public", "none", "all", "current_user", "session_user", "current_role", "user"}
)
RESERVED_PREFIXES = ("pg_", "instar_")


def check_database(name: str, field: str) -> None:
    """Raise BadRequest, naming the field, unless a user's database may have this name."""
    _check(name, field, RESERVED_DATABASES)


def check_user(name: str, field: str) -> None:
    """Raise BadRequest, naming the field, unless a user may have this name."""
    _check(name, field, RESERVED_USERS)


def is_reserved_database(name: str) -> bool:
    """Tell whether a database is the server's or ours, not the user's."""
    return name in RESERVED_DATABASES or name.startswith(RESERVED_PREFIXES)


def is_reserved_user(name: str) -> bool:
    """Tell whether a role is the server's or ours, not the user's."""
    return name in RESERVED_USERS or name.startswith(RESERVED_PREFIXES)


def _check(name: str, field: str, reserved: frozenset[str]) -> None:
    if not name:
        raise BadRequest(f"{field} must not be empty")
    if "\0" in name:
        raise BadRequest(f"{field} must not hold a NUL character")
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise BadRequest(f"{field} must be Unicode text") from None
    if size > LONGEST:
        raise BadRequest(f"{field} may have at most {LONGEST} bytes of UTF-8", seen=f"{size} bytes")
    if name in reserved or name.startswith(RESERVED_PREFIXES):
        raise BadRequest(f"{field} {name!r} is reserved", remedy="Choose another name.")
