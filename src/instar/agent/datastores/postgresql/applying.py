"""`apply_configuration`: new values for a server that serves on, or for one that is stopped or can't start.

1. Refuses what belongs to the instance's identity, and libraries that this image lacks.
2. Has the engine read the new files in a place of their own: one value that it refuses by itself, or with
   another one as far as is known (see `combinations`), and nothing has changed. That the machine has the
   memory for all of it shows at a start only.
3. Puts the new values in place, has the server read them, and tells which wait for a restart.

A server that does not run is started with the new values instead of 1 and 3; when it can't be, those before
are put back. It serves afterwards if it should, and is stopped if it should not.
"""

import contextlib
import shutil
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from instar.agent import commands, durable
from instar.agent.datastores import desire
from instar.agent.datastores.base import Report
from instar.agent.datastores.desire import Desire
from instar.agent.datastores.postgresql import combinations, configuration, refusals, reloading
from instar.agent.datastores.postgresql.cluster import Cluster
from instar.agent.datastores.postgresql.server import Server
from instar.agent.datastores.postgresql.sessions import Session, session
from instar.wire.agent import ConfigurationApplied, ConfigurationParams
from instar.wire.errors import BadRequest, GuestError

_FIXED: LiteralString = """
    SELECT name FROM pg_settings WHERE name = ANY (%s)
    AND (context = 'internal' OR source IN ('command line', 'override')) ORDER BY name
"""
_PENDING: LiteralString = "SELECT name FROM pg_settings WHERE pending_restart ORDER BY name"
_OVERRIDDEN: LiteralString = r"""
    SELECT name FROM pg_file_settings
    WHERE sourcefile LIKE '%/instar.conf' AND NOT applied AND error IS NULL ORDER BY name
"""
_LIBRARIES = ("local_preload_libraries", "session_preload_libraries", "shared_preload_libraries")


def apply(server: Server, params: ConfigurationParams, report: Report) -> dict[str, Any]:
    """Carry it out; gives a ConfigurationApplied. Repeatable.

    Raises BadRequest for a parameter that can't be set, GuestError naming one whose value is refused.
    """
    cluster, wanted = server.usable(), params.configuration
    text = configuration.values(wanted)
    before = configuration.names(cluster.data)
    if cluster.postmaster() is None:
        return _begin_with(server, cluster, wanted, report).model_dump()
    with session(cluster) as connection:
        report("trying the values", 10)
        _refuse_fixed(connection, wanted)
        _refuse_libraries(connection, wanted)
        _try_out(cluster, text, server.layout.state / "candidate")
        report("putting the values in place", 50)
        durable.write(cluster.data / configuration.OURS, text)
        reloading.ask(connection, lambda: connection.execute("SELECT pg_reload_conf()"))
        return _told(connection, wanted, before).model_dump()


def _begin_with(
    server: Server, cluster: Cluster, wanted: Mapping[str, Any], report: Report
) -> ConfigurationApplied:
    ours, names = cluster.data / configuration.OURS, configuration.names(cluster.data)
    before = ours.read_text("utf-8") if ours.exists() else configuration.values({})
    report("trying the values", 10)
    _try_out(cluster, configuration.values(wanted), server.layout.state / "candidate")
    try:
        server.begin(cluster, wanted, partial(report, "starting", 50))
        with session(cluster) as connection:
            _refuse_fixed(connection, wanted)
            told = _told(connection, wanted, names)
    except BaseException:
        cluster.clear_remains()  # it let nobody in, so that nothing is lost
        durable.write(ours, before)
        raise
    if desire.read(server.layout.state) is Desire.RUNNING:
        server.open(cluster)
    else:
        cluster.stop(partial(report, "stopping", 90))
    return told


def _refuse_fixed(connection: Session, wanted: Iterable[str]) -> None:
    if fixed := connection.execute(_FIXED, [[name.lower() for name in wanted]]).fetchall():
        raise BadRequest(
            f"configuration.{fixed[0][0]} can't be set: it belongs to the instance itself",
            seen=", ".join(name for (name,) in fixed),
            remedy="Leave it out.",
        )


def _refuse_libraries(connection: Session, wanted: Mapping[str, Any]) -> None:
    """See whether libraries that would be loaded are there: a start that lacks one would fail."""
    for parameter in _LIBRARIES:
        for library in filter(None, (name.strip(' "') for name in str(wanted.get(parameter, "")).split(","))):
            try:
                connection.execute(sql.SQL("LOAD {}").format(sql.Literal(library)))
            except psycopg.errors.UndefinedFile:
                raise GuestError(
                    commands.brief(f"The database refuses {parameter}: the image lacks library {library}"),
                    seen=library,
                    remedy=f"Take it out of {parameter}, or use an image that holds it.",
                ) from None
            except psycopg.Error as error:
                if error.diag.severity_nonlocalized != "ERROR":
                    raise  # the others say that they are loaded at a start only, and so that they are there


def _try_out(cluster: Cluster, text: str, place: Path) -> None:
    """Let the engine read the configuration with the new values as it would at a start."""
    configuration.save(cluster.data, place)
    durable.write(place / configuration.OURS, text)
    words: list[str | Path] = [cluster.programs / "postgres", "-D", cluster.data]
    file = "-c", f"config_file={place / 'postgresql.conf'}"
    try:
        commands.run([*words, "-C", "data_directory", *file])
        combinations.refuse(
            lambda name: commands.run([*words, "-C", name, *file]).splitlines()[-1], int(cluster.data.name)
        )
    except commands.Failed as error:
        brief, remedy = refusals.by_server(error.printed)
        raise GuestError(brief, seen=commands.decisive_first(error.printed), remedy=remedy) from None
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(place)


def _told(connection: Session, wanted: Iterable[str], before: Iterable[str]) -> ConfigurationApplied:
    pending = [name for (name,) in connection.execute(_PENDING)]
    overridden = [name for (name,) in connection.execute(_OVERRIDDEN)]
    concerned = {name.lower() for name in (*wanted, *before)}
    return ConfigurationApplied(
        in_force=sorted(concerned.difference(pending, overridden)),
        pending_restart=pending,
        overridden=overridden,
    )
