"""Users that are the user's, what they may use, and the superuser `root`.

Passwords are hashed here, so that the server never sees one in a statement. A user is a name and a host; what
a dropped one has made stays, though views and routines that run with its rights run no more.
"""

from collections.abc import Sequence

from instar.agent.datastores.mysql_family import databases, names
from instar.agent.datastores.mysql_family.daemon import Daemon
from instar.agent.datastores.mysql_family.dialect import password_hash
from instar.agent.datastores.mysql_family.sessions import Session, session
from instar.wire.agent import UserSpec
from instar.wire.errors import BadRequest, NotFound

ROOT = "root"
ANYWHERE = "%"

_GRANTS = "SELECT User, Host, Db FROM mysql.db"
_SESSIONS = "SELECT ID FROM information_schema.PROCESSLIST WHERE USER = %s"

Account = tuple[str, str]


def listing(session: Session) -> list[UserSpec]:
    """List the user's users with the databases each may use, sorted by name and host."""
    patterns = {databases.pattern(spec.name): spec.name for spec in databases.listing(session)}
    granted: dict[Account, list[str]] = {}
    for user, host, database in session.rows(_GRANTS):
        if database in patterns:
            granted.setdefault((user, host), []).append(patterns[database])
    return [
        UserSpec(name=name, host=host, databases=sorted(granted.get((name, host), [])))
        for name, host in sorted(accounts(session))
        if not names.is_reserved_user(name)
    ]


def accounts(session: Session) -> set[Account]:
    """Name all accounts, the server's and ours too, but not roles."""
    return {(name, host) for name, host in session.rows(session.daemon.dialect.accounts)}


def create(daemon: Daemon, users: Sequence[UserSpec], *, missing_only: bool = False) -> None:
    """Make users and grant them their databases; all is checked before the first is made.

    Raises BadRequest when a database is unknown, or a user exists and `missing_only` is not set.
    """
    check(users)
    with session(daemon) as connection:
        known = accounts(connection)
        _check_new(connection, users, set() if missing_only else known)
        for spec in users:
            who = spec.name, spec.host
            if who not in known:
                connection.execute("CREATE USER IF NOT EXISTS %s@%s ACCOUNT LOCK", who)
            set_password(connection, who, spec.password or "")
            for database in spec.databases:
                _grant(connection, who, database)


def check(users: Sequence[UserSpec]) -> None:
    """Raise BadRequest, naming the field, when one can't be a user's user."""
    for number, spec in enumerate(users):
        names.check_user(spec.name, f"users.{number}.name")
        names.check_host(spec.host, f"users.{number}.host")
        if not spec.password or "\0" in spec.password:
            raise BadRequest(f"users.{number}.password must be text of one character or more, without NUL")


def update(daemon: Daemon, name: str, host: str, change: UserSpec) -> None:
    """Rename a user, move it to another host, set its password. Raises NotFound; BadRequest when the new
    name is taken.
    """
    names.check_user(change.name, "user.name")
    names.check_host(change.host, "user.host")
    before, after = (name, host), (change.name, change.host)
    with session(daemon) as connection:
        known = _require(connection, before)
        if after != before:
            if after in known:
                raise BadRequest(f"user.name: user {_told(after)} exists already")
            connection.execute("RENAME USER %s@%s TO %s@%s", [*before, *after])
        if change.password is not None:
            set_password(connection, after, change.password)


def drop(daemon: Daemon, name: str, host: str) -> None:
    """Drop a user, ending the sessions under its name. Raises NotFound."""
    with session(daemon) as connection:
        _require(connection, (name, host))
        connection.execute("DROP USER %s@%s", [name, host])
        end_sessions(connection, name)


def grant(daemon: Daemon, name: str, host: str, wanted: Sequence[str]) -> None:
    """Let a user use databases. Raises NotFound for an unknown user or database. Repeatable."""
    with session(daemon) as connection:
        _require(connection, (name, host))
        for database in wanted:
            databases.require(connection, database)
        for database in wanted:
            _grant(connection, (name, host), database)


def revoke(daemon: Daemon, name: str, host: str, database: str) -> None:
    """Take a database from a user. Raises NotFound when it was not granted."""
    with session(daemon) as connection:
        _require(connection, (name, host))
        granted = {(spec.name, spec.host): spec.databases for spec in listing(connection)}[name, host]
        if database not in granted:
            raise NotFound(f"User {_told((name, host))} was not granted database {database!r}")
        databases.revoke(connection, (name, host), database)


def root_enabled(session: Session) -> bool:
    """Tell whether the superuser may log in over the network."""
    return any(not _is_locked(session, who) for who in _roots(session))


def enable_root(daemon: Daemon, password: str) -> UserSpec:
    """Let the superuser in over the network with this password. Repeatable."""
    who = ROOT, ANYWHERE
    with session(daemon) as connection:
        connection.execute("CREATE USER IF NOT EXISTS %s@%s ACCOUNT LOCK", who)
        connection.execute("GRANT ALL PRIVILEGES ON *.* TO %s@%s WITH GRANT OPTION", who)
        set_password(connection, who, password)
    return UserSpec(name=ROOT, password=password)


def disable_root(daemon: Daemon) -> None:
    """Shut the superuser out, ending its sessions. Raises NotFound when it was never let in."""
    with session(daemon) as connection:
        found = _roots(connection)
        if not found:
            raise NotFound("The superuser was never let in")
        for who in found:
            connection.execute("ALTER USER %s@%s ACCOUNT LOCK", who)
        end_sessions(connection, ROOT)


def remove_installed(session: Session) -> None:
    """Drop the accounts that the family's install program makes for people. Repeatable."""
    for name, host in accounts(session):
        if name in ("", ROOT):
            session.execute("DROP USER IF EXISTS %s@%s", [name, host])


def set_password(session: Session, who: Account, password: str) -> None:
    """Give an account a password; it may log in from now on."""
    identified = session.daemon.dialect.identified.format(hash=password_hash(password))
    session.execute(f"ALTER USER %s@%s {identified} ACCOUNT UNLOCK", who)


def end_sessions(session: Session, name: str) -> None:
    """End every session of a user."""
    for (number,) in session.rows(_SESSIONS, [name]):
        databases.kill(session, number)


def _roots(session: Session) -> list[Account]:
    return sorted(who for who in accounts(session) if who[0] == ROOT)


def _is_locked(session: Session, who: Account) -> bool:
    return str(session.value("SHOW CREATE USER %s@%s", who)).endswith("ACCOUNT LOCK")


def _check_new(session: Session, users: Sequence[UserSpec], taken: set[Account]) -> None:
    there = {spec.name for spec in databases.listing(session)}
    for number, spec in enumerate(users):
        if (spec.name, spec.host) in taken:
            raise BadRequest(f"users.{number}.name: user {_told((spec.name, spec.host))} exists already")
        for place, database in enumerate(spec.databases):
            if database not in there:
                raise BadRequest(f"users.{number}.databases.{place}: there is no database {database!r}")


def _require(session: Session, who: Account) -> set[Account]:
    known = accounts(session)
    if who not in known or names.is_reserved_user(who[0]):
        raise NotFound(f"There is no user {_told(who)}")
    return known


def _grant(session: Session, who: Account, database: str) -> None:
    session.execute(f"GRANT ALL PRIVILEGES ON {databases.everything_in(database)} TO %s@%s", who)


def _told(who: Account) -> str:
    return repr(who[0]) if who[1] == ANYWHERE else f"{who[0]!r} from {who[1]}"
