"""Why a server did not start, or refuses an option: its own words, the decisive ones first."""

import re

from instar.agent import commands

_ERROR = re.compile(r"\[ERROR\]\s+(?:\S*(?:mariadbd|mysqld): )?(?:\[\S+\] )*(.+)")
_OPTION = re.compile(
    r"unknown (?:variable|option) '(?:--)?([\w.-]+)"
    r"|Error while setting value '.*' to '([\w.-]+)'"
    r"|option '([\w.-]+)': (?:.* adjusted to |.*wasn't recognized)"
    r"|option '--([\w.-]+)' requires an argument"
)
_BARE = re.compile(r"^(?:\S*(?:mariadbd|mysqld): )(?!ready|Shutdown|Normal)(.+)", re.MULTILINE)
_CONSEQUENCE = re.compile(
    r"^(?:Aborting|Plugin '|Unknown/unsupported storage engine: InnoDB|Failed to initialize)"
)


def by_server(log: str, what: str = "The database did not start") -> tuple[str, str]:
    """Say why a server did not do what it was to do, and what to do about it."""
    causes = errors(log)
    if names := options("\n".join(causes)) or ([] if causes else options(log)):
        told = ", ".join(names)
        return commands.brief(f"The database refuses its configuration: {told}"), f"Correct or remove {told}."
    if causes and "unknown default time zone" in causes[0]:
        remedy = "Set default_time_zone through the instance's configuration while the database runs."
        return commands.brief(f"{what}: {causes[0]}"), remedy
    if causes:
        return commands.brief(f"{what}: {causes[0]}"), "Remove the cause that it tells."
    return what, "See the server's log."


def options(log: str) -> list[str]:
    """Name the options that a server refuses or puts right, with `_` for `-`."""
    found = (next(filter(None, match.groups())) for match in _OPTION.finditer(log))
    return list(dict.fromkeys(name.replace("-", "_").lower() for name in found))


def errors(log: str) -> list[str]:
    """Give a server's errors, the causes before what follows from them."""
    told = dict.fromkeys(line.strip() for line in _ERROR.findall(log) or _BARE.findall(log))
    return sorted(told, key=lambda line: _CONSEQUENCE.search(line) is not None)


def decisive_first(log: str) -> str:
    """Give the last lines of a log, led by those that tell of an error."""
    lines = log.replace("\a", "").strip().splitlines()[-4 * commands.TOLD_LINES :]
    lines.sort(key=lambda line: "[ERROR]" not in line and _OPTION.search(line) is None)
    return "\n".join(lines[: commands.TOLD_LINES])
