"""Which parameters MariaDB knows.

`mariadbd --verbose --help` tells what an option file may hold; `information_schema.SYSTEM_VARIABLES` of that
very server, started for a moment on an empty data directory and asked by its init file, tells types, ranges,
values and what may change while it runs. An option that is no variable is heeded by a start only.
"""

import json
import re
from typing import Any, Literal

from instar.images.errors import BuildError
from instar.images.programs import Programs
from instar.wire.agent import Parameter

_SERVER = "usr/sbin/mariadbd"

_IDENTITY = frozenset(
    {
        "aria_log_dir_path",
        "basedir",
        "bind_address",
        "character_sets_dir",
        "chroot",
        "datadir",
        "extra_port",
        "init_file",
        "innodb_data_file_path",
        "innodb_data_home_dir",
        "innodb_log_group_home_dir",
        "innodb_page_size",
        "innodb_undo_directory",
        "lc_messages_dir",
        "log_error",
        "pid_file",
        "plugin_dir",
        "port",
        "secure_file_priv",
        "skip_grant_tables",
        "skip_name_resolve",
        "skip_networking",
        "socket",
        "tmpdir",
        "user",
    }
)
"""What Instar gives to the server when it starts it, and where and how the data lies."""

_ACTIONS = frozenset(
    {
        "bootstrap",
        "console",
        "flashback",
        "gdb",
        "help",
        "tc_heuristic_recover",
        "verbose",
        "version",
        "wsrep_new_cluster",
    }
)
"""Options that tell a start to do something else; no settings."""

_PATHS_OR_SWITCHES = frozenset({"log_bin"})
"""Variables that tell on or off, while their option takes a name, too."""

_TYPES: dict[str, Literal["boolean", "integer", "float", "string", "enum"]] = {
    "BOOLEAN": "boolean",
    "INT": "integer",
    "INT UNSIGNED": "integer",
    "BIGINT": "integer",
    "BIGINT UNSIGNED": "integer",
    "DOUBLE": "float",
    "ENUM": "enum",
}
"""Others (VARCHAR, SET, FLAGSET) are text."""

_QUERY = """\
SELECT JSON_OBJECT('name', LOWER(VARIABLE_NAME), 'scope', VARIABLE_SCOPE, 'type', VARIABLE_TYPE, \
'default', DEFAULT_VALUE, 'minimum', NUMERIC_MIN_VALUE, 'maximum', NUMERIC_MAX_VALUE, \
'values', ENUM_VALUE_LIST, 'static', READ_ONLY, 'description', VARIABLE_COMMENT) \
FROM information_schema.SYSTEM_VARIABLES ORDER BY 1 \
INTO OUTFILE '{place}/told' FIELDS ESCAPED BY '';
SHUTDOWN;
"""
_OPTION = re.compile(r"^  (?:-\S(?:, |  ))?--([A-Za-z][A-Za-z0-9-]*)", re.MULTILINE)
_TABLE = "\nVariables (--variable-name=value)"
_NO_DEFAULT = "(No default value)"


def read(engine_version: str, programs: Programs) -> list[Parameter]:
    """Ask MariaDB. Raises BuildError."""
    options = _options(_run(programs, "--no-defaults", "--verbose", "--help"))
    variables = {row["name"]: row for row in _variables(programs)}
    found = [_variable(row, options) for row in variables.values()]
    found += [_option(name, default) for name, default in options.items() if name not in variables]
    return sorted(found, key=lambda parameter: parameter.name)


def _options(told: str) -> dict[str, str | None]:
    """Give what an option file may hold, name -> default, as far as the help's table tells one."""
    listed, _, table = told.partition(_TABLE)
    found: dict[str, str | None] = {_name(match): None for match in _OPTION.findall(listed)}
    for line in table.split("\n\n")[0].splitlines()[3:]:
        name, _, default = line.partition(" ")
        found[_name(name)] = None if default.strip() == _NO_DEFAULT else default.strip()
    return {name: default for name, default in found.items() if name not in _ACTIONS}


def _name(option: str) -> str:
    return option.replace("-", "_").lower()


def _variables(programs: Programs) -> list[dict[str, Any]]:
    programs.write("ask.sql", _QUERY.format(place=programs.place))
    place = programs.place
    private = [
        f"--datadir={place}",
        f"--socket={place}/socket",
        f"--pid-file={place}/pid",
        "--skip-networking",
    ]
    _run(programs, "--no-defaults", *private, "--skip-grant-tables", f"--init-file={place}/ask.sql")
    try:
        return [json.loads(line) for line in programs.read("told").splitlines()]
    except (OSError, ValueError) as error:
        raise BuildError("The image's engine did not tell its parameters", seen=str(error)) from error


def _variable(row: dict[str, Any], options: dict[str, str | None]) -> Parameter:
    name = row["name"]
    kind = "string" if name in _PATHS_OR_SWITCHES else _TYPES.get(row["type"], "string")
    default = row["default"] if row["default"] is not None else options.get(name)
    if kind == "float" and default:
        default = format(float(default), ".15g")
    return Parameter(
        name=name,
        type=kind,
        default=default,
        minimum=_number(row["minimum"]) if kind in ("integer", "float") else None,
        maximum=_number(row["maximum"]) if kind in ("integer", "float") else None,
        values=row["values"].split(",") if kind == "enum" and row["values"] else [],
        restart_required=row["static"] == "YES",
        fixed=name in _IDENTITY or name not in options or row["scope"] == "SESSION ONLY",
        description=row["description"],
    )


def _option(name: str, default: str | None) -> Parameter:
    switch = default in ("TRUE", "FALSE")
    return Parameter(
        name=name,
        type="boolean" if switch else "string",
        default={"TRUE": "ON", "FALSE": "OFF"}.get(default or "", default),
        restart_required=True,
        fixed=name in _IDENTITY,
    )


def _number(text: str | None) -> float | None:
    return float(text) if text else None


def _run(programs: Programs, *options: str) -> str:
    done = programs.run(_SERVER, *options)
    if done.returncode != 0:
        raise BuildError(
            "The image's program mariadbd failed while its parameters were read",
            seen=f"exit status {done.returncode}: {(done.stdout + done.stderr).strip()[-500:]}",
            remedy="See to it that the recipe makes a whole MariaDB, then build again.",
        )
    return done.stdout
