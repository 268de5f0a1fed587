"""Which parameters PostgreSQL knows.

`postgres --describe-config` would be the short way, but it leaves out units, what an enum takes, and the
settings that stand in no sample file, and its defaults are those of a server that has not begun. So a data
directory is made beside the image, and the server, in single-user mode, is asked for `pg_settings`.
"""

import csv
import io
import json
from typing import Literal

from instar.images.errors import BuildError
from instar.images.programs import Programs
from instar.wire.agent import Parameter

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


def read(engine_version: str, programs: Programs) -> list[Parameter]:
    """Ask PostgreSQL. Raises BuildError."""
    folder = f"usr/lib/postgresql/{engine_version.split('.')[0]}/bin"
    data, told = f"{programs.place}/data", f"{programs.place}/told.csv"
    options = ["-U", "postgres", "-A", "trust", "--no-sync", "--no-locale", "--encoding=UTF8"]
    _run(programs, f"{folder}/initdb", "-D", data, *options)
    single = ["--single", "-F", "-D", data, "postgres"]
    _run(programs, f"{folder}/postgres", *single, told=_QUERY.format(target=told))
    try:
        return [_parameter(row) for row in csv.DictReader(io.StringIO(programs.read("told.csv")))]
    except OSError as error:
        raise BuildError("The image's engine did not tell its parameters", seen=str(error)) from error


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


def _run(programs: Programs, program: str, *options: str, told: str = "") -> None:
    done = programs.run(program, *options, told=told)
    if done.returncode != 0 or "ERROR:" in done.stderr:
        raise BuildError(
            f"The image's program {program.rpartition('/')[2]} failed while its parameters were read",
            seen=f"exit status {done.returncode}: {(done.stdout + done.stderr).strip()[-500:]}",
            remedy="See to it that the recipe makes a whole PostgreSQL, then build again.",
        )
