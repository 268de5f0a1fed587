"""Why a server did not start, or pg_upgrade did not go on: their own words, the decisive ones first."""

import re
from pathlib import Path

from instar.agent import commands

_PARAMETER = re.compile(r'parameter "([^"]+)"')
_LIBRARY = re.compile(r'could not (?:access file|load library) "([^"]+)"')
_FATAL = re.compile(r"\b(?:FATAL|PANIC):\s+(.+)")
_CHECK = re.compile(r"failed check: (.+?)[ \t]*$|^(\S.*?)[ \t]+fatal$", re.MULTILINE)
_KNOCK = re.compile(
    r"FATAL:\s+(?:the database system is |no pg_hba\.conf entry|pg_hba\.conf rejects)"
    r"|DETAIL:\s+(?:Consistent recovery state has not been|Recovery snapshot is not|Hot standby mode is)"
    r"|LOG:\s+(?:connection received|incomplete startup packet|invalid length of startup packet)"
)
_TOLD_BYTES = 2048


def without_knocks(log: str) -> str:
    """Leave out the lines about clients who knock: they tell nothing of how a start goes on."""
    return "".join(line for line in log.splitlines(keepends=True) if not _KNOCK.search(line))


def by_server(log: str) -> tuple[str, str]:
    """Say why a server did not start, and what to do: which settings or libraries it refuses."""
    if names := _named(_PARAMETER, log):
        return commands.brief(
            f"The database refuses its configuration: {names}"
        ), f"Correct or remove {names}."
    if names := _named(_LIBRARY, log):
        remedy = "Use an image that holds it, or take it out of shared_preload_libraries."
        return commands.brief(f"The image lacks a library that the database wants: {names}"), remedy
    if fatal := _FATAL.search(log):
        return commands.brief(f"The database did not start: {fatal[1]}"), "Remove the cause that it tells."
    return "The database did not start", "See the server's log."


def by_pg_upgrade(printed: str, output: Path) -> tuple[str, str, str]:
    """Say what stopped pg_upgrade, what was seen, and what to do; `output` is where it writes its reports."""
    reports = sorted(output.rglob("*.txt"))
    seen = [f"{path.name}: {_end_of(path)}" for path in reports]
    log = "" if seen else "\n".join(_end_of(path) for path in sorted(output.rglob("pg_upgrade_server.log")))
    text = "\n".join([*seen, commands.decisive_first(log), printed]).strip()
    if check := _CHECK.search(printed):
        name = (check[1] or check[2]).removeprefix("Checking for ").removeprefix("Checking ")
        libraries = _named(_LIBRARY, text)
        brief = f"pg_upgrade refuses: {name}{f' ({libraries})' if libraries else ''}"
        return commands.brief(brief), text, "Remove the cause from the old data files."
    if _PARAMETER.search(log) or _LIBRARY.search(log) or _FATAL.search(log):
        brief, remedy = by_server(log)
        return brief, text, remedy
    lines = commands.decisive_first(printed).splitlines()
    return (
        commands.brief(f"pg_upgrade failed: {lines[0] if lines else 'it said nothing'}"),
        text,
        "",
    )


def _named(pattern: re.Pattern[str], text: str) -> str:
    return ", ".join(sorted(set(pattern.findall(text))))


def _end_of(path: Path) -> str:
    return path.read_text("utf-8", "replace")[-_TOLD_BYTES:].strip()
