"""System tables, brought up to date by the engine's own program, which checks users' tables as well."""

from pathlib import Path

from instar.agent import commands, processes
from instar.agent.commands import Tick
from instar.agent.datastores.mysql_family.accounts import OPTION_FILE
from instar.agent.datastores.mysql_family.daemon import Daemon
from instar.agent.datastores.mysql_family.dialect import series


def version(daemon: Daemon) -> str:
    """Tell which version the system tables were last brought up to; empty when it is not known."""
    for name in daemon.dialect.version_markers:
        marker = daemon.data / name
        if marker.is_file():
            return marker.read_text("utf-8", "replace").strip("\0 \n")
    return ""


def bring_up_to_date(daemon: Daemon, tick: Tick) -> str | None:
    """Run the program unless the tables are of this series; gives the version before, None when not run.

    The server runs, with clients kept out. Repeatable: the program marks its end in the data directory.
    """
    before, program = version(daemon), daemon.dialect.upgrade
    if program is None or (before and series(before) == series(daemon.version)):
        return None
    processes.kill(processes.working_in([daemon.layout.scratch]))  # one that a killed agent left
    options = daemon.layout.run() / OPTION_FILE
    words: list[str | Path] = [daemon.layout.root / program, f"--defaults-file={options}", "--force"]
    commands.run(words, tick=tick, cwd=daemon.layout.scratch)
    return before
