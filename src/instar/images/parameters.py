"""Which parameters an engine knows: told by the very programs that the image holds.

`postgres --describe-config` would be the short way, but it leaves out units, what an enum takes, and the
settings that stand in no sample file, and its defaults are those of a server that has not begun. So a data
directory is made beside the image, and the server, in single-user mode, is asked for `pg_settings`.
"""

import csv
import json
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from instar.images.errors import BuildError
from instar.images.recipe import Recipe
from instar.wire.agent import Parameter

MANAGER = "postgresql"

_IDENTITY = frozenset(
    {
        "config_file",
        "data_directory",
        "external_pid_file",
        "hba_file",
        "ident_file",
        "listen_addresses",
        "log_destination",
        "logging_collector",
        "port",
        "unix_socket_directories",
        "unix_socket_group",
        "unix_socket_permissions",
    }
)
"""What Instar gives to the server when it starts it."""

_TYPES: dict[str, Literal["boolean", "integer", "float", "string", "enum"]] = {
    "bool": "boolean",
    "integer": "integer",
    "real": "float",
    "string": "string",
    "enum": "enum",
}
_QUERY = """\
COPY (SELECT name, vartype, boot_val, min_val, max_val, unit, array_to_json(enumvals) AS enumvals, context, \
'NO_RESET' = ANY (pg_settings_get_flags(name)) AS passing, short_desc FROM pg_settings ORDER BY name) \
TO '{target}' (FORMAT csv, HEADER)
"""
"""On one line, as single-user mode reads it."""


def read(root: Path, recipe: Recipe, scratch: Path) -> list[Parameter]:
    """Ask the engine of a finished tree; `scratch` is for what this takes. Raises BuildError.

    Engines other than PostgreSQL have no catalogue, and get an empty one.
    """
    if recipe.manager != MANAGER:
        return []
    programs = root / f"usr/lib/postgresql/{recipe.engine_version.split('.')[0]}/bin"
    place = scratch / "parameters"
    place.mkdir()
    if os.geteuid() == 0:
        os.chown(place, *_nobody())
    data, told = place / "data", place / "told.csv"
    options = ["-U", "postgres", "-A", "trust", "--no-sync", "--no-locale", "--encoding=UTF8"]
    _run([programs / "initdb", "-D", data, *options])
    _run([programs / "postgres", "--single", "-F", "-D", data, "postgres"], _QUERY.format(target=told))
    try:
        with told.open(encoding="utf-8", newline="") as lines:
            return [_parameter(row) for row in csv.DictReader(lines)]
    except (OSError, KeyError, ValueError) as error:
        raise BuildError("The image's engine did not tell its parameters", seen=str(error)) from error
    finally:
        shutil.rmtree(place)


def _parameter(row: dict[str, str]) -> Parameter:
    kind = row["vartype"]
    return Parameter(
        name=row["name"],
        type=_TYPES[kind],
        default=row["boot_val"],
        minimum=_number(row["min_val"]),
        maximum=_number(row["max_val"]),
        unit=row["unit"] or None,
        values=json.loads(row["enumvals"] or "[]"),
        restart_required=row["context"] == "postmaster",
        fixed=row["context"] == "internal" or row["passing"] == "t" or row["name"] in _IDENTITY,
        description=row["short_desc"],
    )


def _number(text: str) -> float | None:
    return float(text) if text else None


def _run(argv: Sequence[str | Path], told: str = "") -> None:
    """Run a program of the tree as somebody who is neither root nor without a name: it insists on both."""
    bare = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            [*_as_somebody(), *argv], input=told, env=bare, capture_output=True, text=True, timeout=120
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildError(f"The image's program {Path(argv[0]).name} can't be run", seen=str(error)) from error
    if done.returncode != 0 or "ERROR:" in done.stderr:
        raise BuildError(
            f"The image's program {Path(argv[0]).name} failed while its parameters were read",
            seen=f"exit status {done.returncode}: {(done.stdout + done.stderr).strip()[-500:]}",
            remedy="See to it that the recipe's folders make a whole PostgreSQL, then build again.",
        )


def _nobody() -> tuple[int, int]:
    entry = pwd.getpwnam("nobody")
    return entry.pw_uid, entry.pw_gid


def _as_somebody() -> Iterable[str]:
    """Give the words before a command: another user, who may still walk through folders that are private, and
    has and gains no other power of root's.

    Programs ask by access(2), too, whether they may; it heeds what the user may beyond others only with
    `no_setuid_fixup`.
    """
    if os.geteuid() == 0:
        uid, gid = _nobody()
        who = f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--no-new-privs"
        sets = ("bounding-set", "inh-caps", "ambient-caps")
        may = [f"--{each}=-all,+dac_read_search" for each in sets]
        return ["setpriv", *who, *may, "--securebits=+no_setuid_fixup", "--"]
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        uid, gid = _nobody()
        return ["unshare", "--user", f"--map-user={uid}", f"--map-group={gid}", "--"]
    return []
