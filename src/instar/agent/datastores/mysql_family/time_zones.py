"""Named time zones: rows of system tables, filled from the image's tzdata when one is first asked for.

They cross with the data files. A server does not start with a default one that they lack.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from instar.agent import commands
from instar.agent.datastores.mysql_family import configuration
from instar.agent.datastores.mysql_family.accounts import OPTION_FILE
from instar.agent.datastores.mysql_family.daemon import Daemon
from instar.agent.datastores.mysql_family.sessions import session
from instar.wire.errors import BadRequest

OPTION = "default_time_zone"
_ZONES = "usr/share/zoneinfo"
_UNNAMED = re.compile(r"system|[+-]?\d{1,2}:\d{2}", re.IGNORECASE)
_KNOWN = "SELECT COUNT(*) FROM mysql.time_zone_name WHERE Name = %s"
_LOAD = '"$1" --skip-write-binlog "$2" 2>&- | "$3" --defaults-file="$4" mysql'


def provide(daemon: Daemon, wanted: Mapping[str, Any]) -> None:
    """See to it that the running server knows the zone that is to be the default one, if one is named.

    Raises BadRequest when there is none of that name. Repeatable.
    """
    chosen = {configuration.normal(name): name for name in wanted}.get(OPTION)
    zone = "" if chosen is None else str(wanted[chosen])
    if not zone or _UNNAMED.fullmatch(zone) or _knows(daemon, zone):
        return
    _load(daemon)
    if not _knows(daemon, zone):
        raise BadRequest(
            f"configuration.{chosen} must be a time zone",
            seen=f"the image's tzdata have none of the name {zone!r}",
            remedy="Use one of the zones' names, such as Europe/Berlin, or an offset such as +01:00.",
        )


def _knows(daemon: Daemon, zone: str) -> bool:
    with session(daemon) as connection:
        return bool(connection.value(_KNOWN, [zone]))


def _load(daemon: Daemon) -> None:
    root = daemon.layout.root
    reader, client = (root / program for program in daemon.dialect.time_zones)
    zones = root / _ZONES
    words: list[str | Path] = [reader, zones if zones.is_dir() else Path("/", _ZONES), client]
    commands.run(["/bin/sh", "-c", _LOAD, "sh", *words, daemon.layout.run() / OPTION_FILE])
