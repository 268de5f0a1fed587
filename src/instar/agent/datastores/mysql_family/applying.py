"""`apply_configuration`: new values for a server that serves on, or for one that is stopped or can't start.

1. Refuses what belongs to the instance's identity.
2. Has the engine read the option files with the new values in a place of their own: one that it does not
   know, refuses or would put right, and nothing has changed. What only a start can tell (a file that can't be
   written, too little memory) shows at the restart.
3. Sets the variables that the server says it can change while it runs. When it refuses one, those set before
   get their values back.
4. Puts the file in place, and tells which of the values wait for a restart: those that the server,
   asked, does not have.

A server that does not run is started closed with the new values instead of 3 and 4; when it can't be, those
before are put back. It serves afterwards if it should, and is stopped if it should not.
"""

import contextlib
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pymysql
from pymysql.constants import ER

from instar.agent import commands
from instar.agent.datastores import desire
from instar.agent.datastores.base import Report
from instar.agent.datastores.desire import Desire
from instar.agent.datastores.mysql_family import configuration, refusals, time_zones, variables
from instar.agent.datastores.mysql_family.daemon import FIXED, Daemon
from instar.agent.datastores.mysql_family.server import Server
from instar.agent.datastores.mysql_family.sessions import Session, refusal, session, told
from instar.wire.agent import ConfigurationApplied, ConfigurationParams
from instar.wire.errors import BadRequest, GuestError

_VARIABLES = """
    SELECT LOWER(VARIABLE_NAME), GLOBAL_VALUE, VARIABLE_TYPE, READ_ONLY
    FROM information_schema.SYSTEM_VARIABLES WHERE GLOBAL_VALUE IS NOT NULL
"""
_NUMBERS = ("BIGINT", "INT", "DOUBLE")
"""How the types of numbers begin."""
_SWITCHES = {"TRUE": "ON", "FALSE": "OFF"}
_UNSET = "(No default value)"

Values = Mapping[str, str]
"""Name with `_` -> value."""


def apply(server: Server, params: ConfigurationParams, report: Report) -> dict[str, Any]:
    """Carry it out; gives a ConfigurationApplied. Repeatable.

    Raises BadRequest for a parameter that can't be set, GuestError naming one whose value is refused.
    """
    daemon, wanted = server.usable(), params.configuration
    _refuse_fixed(wanted)
    before = configuration.names(server.layout.configuration, server.dialect)
    report("trying the values", 10)
    target = _try_out(daemon, wanted)
    if daemon.lets_in() is not None:
        time_zones.provide(daemon, wanted)
    else:
        return _begin_with(server, wanted, before | _named(wanted), target, report).model_dump()
    with session(daemon) as connection:
        report("putting the values in place", 50)
        with _set(connection, before | _named(wanted), target) as refused:
            configuration.replace(server.layout, server.dialect, wanted)
        return _told(server, connection, before | _named(wanted), target, refused).model_dump()


def effective(daemon: Daemon, main: Path, wanted: Mapping[str, Any]) -> dict[str, str]:
    """Ask the engine which values a start with these option files would begin with: name -> value.

    Raises GuestError naming what it refuses, and which of `wanted` it would put right.
    """
    program, _, *options = daemon.command_line(open=True)
    try:
        printed = commands.run([program, f"--defaults-file={main}", *options, "--verbose", "--help"])
    except commands.Failed as error:
        raise _refused(error.printed) from None
    words, _, table = printed.partition("\nVariables (")
    if _named(wanted).intersection(refusals.options(words)) or _is_about(refusals.errors(words), wanted):
        raise _refused(words)
    pairs = (line.partition(" ") for line in table.partition("\n\n")[0].splitlines()[2:])
    return {configuration.normal(name): value.strip() for name, _, value in pairs}


def _refused(printed: str) -> GuestError:
    brief, remedy = refusals.by_server(printed, "The database refuses its configuration")
    return GuestError(brief, seen=refusals.decisive_first(printed), remedy=remedy)


def _is_about(errors: Iterable[str], wanted: Mapping[str, Any]) -> bool:
    """Tell whether one of these errors, which keep no server from starting, comes of a wanted value."""
    texts = [value for value in wanted.values() if isinstance(value, str) and value]
    return any(text in line for line in errors for text in texts)


def _begin_with(
    server: Server, wanted: Mapping[str, Any], concerned: set[str], target: Values, report: Report
) -> ConfigurationApplied:
    path = configuration.ours(server.layout, server.dialect)
    before = path.read_text("utf-8") if path.exists() else configuration.values({})
    try:
        daemon = server.begin(wanted, partial(report, "starting", 50))
        with session(daemon) as connection:
            applied = _told(server, connection, concerned, target)
    except BaseException:
        server.daemon().clear_remains()  # it let nobody in, so that nothing is lost
        configuration.put(path, before)
        raise
    if desire.read(server.layout.state) is Desire.RUNNING:
        server.open(partial(report, "letting clients in", 90))
    else:
        daemon.stop(partial(report, "stopping", 90))
    return applied


def _refuse_fixed(wanted: Mapping[str, Any]) -> None:
    if fixed := sorted(name for name in wanted if _meant(name) in FIXED):
        raise BadRequest(
            f"configuration.{fixed[0]} can't be set: it belongs to the instance itself",
            seen=", ".join(fixed),
            remedy="Leave it out.",
        )


def _meant(name: str) -> str:
    """Give the option that a name with a modifier means."""
    plain = configuration.normal(name).removeprefix("loose_")
    if plain in FIXED:
        return plain
    for modifier in ("skip_", "disable_", "enable_"):
        plain = plain.removeprefix(modifier)
    return f"skip_{plain}" if f"skip_{plain}" in FIXED else plain


def _try_out(daemon: Daemon, wanted: Mapping[str, Any]) -> dict[str, str]:
    """Have the engine read a copy of the option files with the new values; gives what it made of them."""
    layout, dialect = daemon.layout, daemon.dialect
    place = layout.state / "candidate"
    try:
        configuration.save(layout, dialect, place)
        for path in configuration.files(place, dialect):
            text = path.read_text("utf-8", "surrogateescape")
            configuration.put(path, text.replace(f" {layout.configuration}/", f" {place}/"))
        configuration.put(place / dialect.own_folder / configuration.OURS, configuration.values(wanted))
        server_size = layout.configuration / dialect.own_folder / configuration.DEFAULTS
        if server_size.exists():
            configuration.copy_in(server_size, place / dialect.own_folder / configuration.DEFAULTS)
        return effective(daemon, place / dialect.main_file, wanted)
    finally:
        shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def _set(connection: Session, concerned: Iterable[str], target: Values) -> Iterator[set[str]]:
    """Set what can be set now; all of it is put back when something fails, before the end or within.

    Gives the variables that this server, started as it was, can't change although others could.
    """
    before: dict[str, str] = {}
    refused: set[str] = set()
    known = _known(connection)
    try:
        for name in sorted(concerned & known.keys() & target.keys()):
            now, kind, read_only = known[name]
            if read_only == "NO" and not _same(now, target[name]):
                before[name] = now
                if not _set_one(connection, name, target[name], kind):
                    refused.add(name)
        yield refused
    except BaseException:
        for name, value in before.items():
            with contextlib.suppress(GuestError, pymysql.MySQLError):
                _set_one(connection, name, value, known[name][1])
        raise


def _known(connection: Session) -> dict[str, tuple[str, str, str]]:
    return {name: (value, kind, read_only) for name, value, kind, read_only in connection.rows(_VARIABLES)}


def _set_one(connection: Session, name: str, value: str, kind: str) -> bool:
    """Set a variable; tells whether the server can, started as it was."""
    try:
        if value == _UNSET:
            connection.execute(f"SET GLOBAL {name} = DEFAULT")
        elif kind.startswith(_NUMBERS):
            connection.execute(f"SET GLOBAL {name} = {float(value) if '.' in value else int(value)}")
        else:
            connection.execute(f"SET GLOBAL {name} = %s", [_plain(value)])
    except pymysql.MySQLError as error:
        if told(error)[0] == ER.OPTION_PREVENTS_STATEMENT:
            return False
        raise refusal(error, f"The database refuses {name}") from None
    return True


def _told(
    server: Server,
    connection: Session,
    concerned: Iterable[str],
    target: Values,
    refused: Collection[str] = (),
) -> ConfigurationApplied:
    """Tell what waits for a restart: what only a start heeds, and the server, asked, does not have."""
    known, overridden = _known(connection), _overridden(server)
    changed = configuration.changed_since_start(server.layout, server.dialect)
    pending = {name for name in changed.intersection(concerned) if _waits(known.get(name), target.get(name))}
    pending |= set(refused)
    return ConfigurationApplied(
        in_force=sorted(set(concerned) - pending - overridden),
        pending_restart=sorted(pending - overridden),
        overridden=sorted(overridden),
    )


def _waits(found: tuple[str, str, str] | None, target: str | None) -> bool:
    if found is None or target is None:
        return True
    now, _, read_only = found
    return read_only == "YES" and not _same(now, target)


def _overridden(server: Server) -> set[str]:
    """Name those of users' values that a later file of the administrator sets otherwise."""
    main = server.daemon().main_file
    groups = server.dialect.groups_of(server.guest.manifest.engine_version)
    ours = configuration.ours(server.layout, server.dialect)
    last = {option.name: option.path for option in variables.read(main, groups)}
    return {
        name
        for name in configuration.names(server.layout.configuration, server.dialect)
        if last.get(name.removeprefix("loose_")) != ours
    }


def _same(now: str, then: str) -> bool:
    """Tell whether a variable's value is what an option's comes to."""
    try:
        return float(now) == float(then)
    except ValueError:
        return _plain(now).lower() == _plain("" if then == _UNSET else then).lower()


def _plain(value: str) -> str:
    return _SWITCHES.get(value.upper(), value)


def _named(wanted: Iterable[str]) -> set[str]:
    return {configuration.normal(name) for name in wanted}
