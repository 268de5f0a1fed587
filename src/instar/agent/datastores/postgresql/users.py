"""Users that are the user's, what they may use, and the superuser `root`.

Passwords are turned into SCRAM verifiers here, so that the server never sees one in a statement.
"""

from collections.abc import Callable, Sequence
from typing import LiteralString

from psycopg import sql

from instar.agent.datastores.postgresql import databases, names
from instar.agent.datastores.postgresql.access import PROBER
from instar.agent.datastores.postgresql.cluster import Cluster
from instar.agent.datastores.postgresql.sessions import Session, session
from instar.agent.datastores.postgresql.sessions import databases as all_databases
from instar.wire.agent import UserSpec
from instar.wire.errors import BadRequest, NotFound

ROOT = "root"
HEIR = "instar_owner"
"""Owns what dropped users leave. It is no superuser, or their functions would gain power."""

_LIST: LiteralString = """
    SELECT rolname, array(
        SELECT datname FROM pg_database, aclexplode(datacl) AS acl
        WHERE acl.grantee = pg_roles.oid AND acl.privilege_type = 'CONNECT' ORDER BY datname COLLATE "C")
    FROM pg_roles WHERE rolcanlogin ORDER BY rolname COLLATE "C"
"""

_PROBER: LiteralString = (
    "ALTER ROLE {} LOGIN PASSWORD NULL INHERIT"
    " NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS CONNECTION LIMIT -1"
)


def listing(connection: Session) -> list[UserSpec]:
    """List the user's users with the databases each may use, sorted by name."""
    return [
        UserSpec(name=name, databases=[each for each in granted if not names.is_reserved_database(each)])
        for name, granted in connection.execute(_LIST)
        if not names.is_reserved_user(name)
    ]


def create(cluster: Cluster, users: Sequence[UserSpec], *, missing_only: bool = False) -> None:
    """Make users and grant them their databases; all is checked before the first is made.

    Raises BadRequest when a database is unknown, or a user exists and `missing_only` is not set.
    """
    check(users)
    with session(cluster) as connection:
        known = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}
        _check_new(connection, users, set() if missing_only else known)
        for spec in users:
            if spec.name not in known:
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(spec.name)))
                known.add(spec.name)
            set_password(connection, spec.name, spec.password or "")
    for spec in users:
        _in_databases(cluster, spec.databases, spec.name, _grant)


def check(users: Sequence[UserSpec]) -> None:
    """Raise BadRequest, naming the field, when one can't be a user's user."""
    for number, spec in enumerate(users):
        names.check_user(spec.name, f"users.{number}.name")
        if not spec.password or "\0" in spec.password:
            raise BadRequest(f"users.{number}.password must be text of one character or more, without NUL")


def update(cluster: Cluster, name: str, change: UserSpec) -> None:
    """Rename a user, set its password, or both. Raises NotFound; BadRequest when the new name is taken."""
    names.check_user(change.name, "user.name")
    with session(cluster) as connection, connection.transaction():
        known = _require(connection, name)
        if change.name != name:
            if change.name in known:
                raise BadRequest(f"user.name: user {change.name!r} exists already")
            rename = sql.SQL("ALTER ROLE {} RENAME TO {}")
            connection.execute(rename.format(sql.Identifier(name), sql.Identifier(change.name)))
        if change.password is not None:
            set_password(connection, change.name, change.password)


def drop(cluster: Cluster, name: str) -> None:
    """Drop a user; what it owned goes to the heir. Raises NotFound. Repeatable after a crash."""
    with session(cluster) as connection:
        _require(connection, name)
        connection.execute(sql.SQL("ALTER ROLE {} NOLOGIN").format(sql.Identifier(name)))
        end_sessions(connection, name)
        everywhere = all_databases(connection)
    for database in everywhere:
        with session(cluster, database) as connection:
            roles = sql.Identifier(name), sql.Identifier(HEIR)
            connection.execute(sql.SQL("REASSIGN OWNED BY {} TO {}").format(*roles))
            connection.execute(sql.SQL("DROP OWNED BY {}").format(roles[0]))
    with session(cluster) as connection:
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def grant(cluster: Cluster, name: str, wanted: Sequence[str]) -> None:
    """Let a user use databases. Raises NotFound for an unknown user or database. Repeatable."""
    with session(cluster) as connection:
        _require(connection, name)
        for database in wanted:
            databases.require(connection, database)
    _in_databases(cluster, wanted, name, _grant)


def revoke(cluster: Cluster, name: str, database: str) -> None:
    """Take a database from a user. Raises NotFound when it was not granted."""
    with session(cluster) as connection:
        _require(connection, name)
        granted = {spec.name: spec.databases for spec in listing(connection)}[name]
    if database not in granted:
        raise NotFound(f"User {name!r} was not granted database {database!r}")
    _in_databases(cluster, [database], name, _revoke)


def root_enabled(connection: Session) -> bool:
    """Tell whether the superuser may log in over the network."""
    return (
        connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s AND rolcanlogin", [ROOT]).rowcount > 0
    )


def enable_root(cluster: Cluster, password: str) -> UserSpec:
    """Let the superuser in over the network with this password. Repeatable."""
    with session(cluster) as connection:
        known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROOT]).rowcount > 0
        verb = sql.SQL("ALTER" if known else "CREATE")
        connection.execute(sql.SQL("{} ROLE {} SUPERUSER LOGIN").format(verb, sql.Identifier(ROOT)))
        set_password(connection, ROOT, password)
    return UserSpec(name=ROOT, password=password)


def disable_root(cluster: Cluster) -> None:
    """Shut the superuser out, ending its sessions. Raises NotFound when it was never let in."""
    with session(cluster) as connection:
        if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROOT]).rowcount == 0:
            raise NotFound("The superuser was never let in")
        connection.execute(sql.SQL("ALTER ROLE {} NOLOGIN PASSWORD NULL").format(sql.Identifier(ROOT)))
        end_sessions(connection, ROOT)


def make_heir(connection: Session) -> None:
    """See to it that there is a role for what dropped users leave. Repeatable."""
    if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [HEIR]).rowcount == 0:
        connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(HEIR)))


def make_prober(connection: Session) -> None:
    """See to it that there is a role for owners' probes; it may read everything, and no more. Repeatable."""
    if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [PROBER]).rowcount == 0:
        connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(PROBER)))
    connection.execute(sql.SQL(_PROBER).format(sql.Identifier(PROBER)))
    connection.execute(sql.SQL("GRANT pg_read_all_data TO {}").format(sql.Identifier(PROBER)))


def set_password(connection: Session, name: str, password: str) -> None:
    """Give a role a password."""
    secret, role = password.encode(), name.encode()
    verifier = connection.pgconn.encrypt_password(secret, role, b"scram-sha-256").decode()
    statement = sql.SQL("ALTER ROLE {} PASSWORD {}")
    connection.execute(statement.format(sql.Identifier(name), sql.Literal(verifier)))


def end_sessions(connection: Session, name: str) -> None:
    """End every session of a user."""
    connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [name])


def _check_new(connection: Session, users: Sequence[UserSpec], taken: set[str]) -> None:
    there = {spec.name for spec in databases.listing(connection)}
    for number, spec in enumerate(users):
        if spec.name in taken:
            raise BadRequest(f"users.{number}.name: user {spec.name!r} exists already")
        for place, database in enumerate(spec.databases):
            if database not in there:
                raise BadRequest(f"users.{number}.databases.{place}: there is no database {database!r}")


def _require(connection: Session, name: str) -> set[str]:
    known = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}
    if name not in known or names.is_reserved_user(name):
        raise NotFound(f"There is no user {name!r}")
    return known


def _in_databases(
    cluster: Cluster, wanted: Sequence[str], name: str, change: Callable[[Session, str, str], None]
) -> None:
    for database in wanted:
        with session(cluster, database) as connection, connection.transaction():
            change(connection, database, name)


def _grant(connection: Session, database: str, name: str) -> None:
    objects = sql.Identifier(database), sql.Identifier(name)
    connection.execute(sql.SQL("GRANT ALL ON DATABASE {} TO {}").format(*objects))
    if _has_public_schema(connection):
        connection.execute(sql.SQL("GRANT ALL ON SCHEMA public TO {}").format(objects[1]))


def _revoke(connection: Session, database: str, name: str) -> None:
    objects = sql.Identifier(database), sql.Identifier(name)
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM {}").format(*objects))
    if _has_public_schema(connection):
        connection.execute(sql.SQL("REVOKE ALL ON SCHEMA public FROM {}").format(objects[1]))


def _has_public_schema(connection: Session) -> bool:
    return connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'public'").rowcount > 0
