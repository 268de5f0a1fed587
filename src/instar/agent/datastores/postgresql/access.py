"""Who is let in: pg_hba.conf, generated. Letting clients in is a switch of this file and a reload."""

from pathlib import Path

from instar.agent import durable

ADMINISTRATOR = "instar_admin"
"""The superuser that the agent works as; it gets in through the private socket only."""
PROBER = "instar_probe"
"""The role that owners' probes are put as; it may read, and gets in through the private socket only."""

_LOCAL = f"""\
# Managed by Instar: written anew whenever the server starts.
# The socket's directory can be entered by the server's own user only.
local  all  {ADMINISTRATOR},{PROBER}  trust
local  all  all  reject
"""

CLOSED = f"""\
{_LOCAL}host   all  all  all  reject
"""

OPEN = f"""\
{_LOCAL}host   all  {ADMINISTRATOR},{PROBER}  all  reject
host   all  all  all  scram-sha-256
"""


def write(data: Path, text: str) -> None:
    """Put the file in place; a running server heeds it after a reload."""
    durable.write(data / "pg_hba.conf", text)


def is_open(data: Path) -> bool:
    """Tell whether the file lets clients in."""
    path = data / "pg_hba.conf"
    return path.is_file() and path.read_text("utf-8", "replace") == OPEN
