"""What is looked at between the start of an upgraded server and the moment when clients are let in."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from instar.agent import commands
from instar.agent.datastores import comparison
from instar.agent.datastores.mysql_family import inspection
from instar.agent.datastores.mysql_family.daemon import Daemon
from instar.agent.datastores.mysql_family.leaving import beneath
from instar.agent.datastores.mysql_family.sessions import session
from instar.wire.agent import ReadBack
from instar.wire.errors import Finding, GuestError, Severity


@dataclass
class Found:
    """What the database is, and how it differs from what it was."""

    read_back: ReadBack
    differences: list[Finding]
    adjusted: list[str]
    """Settings that stand where they stood, and of which this version makes another value."""


def look(
    daemon: Daemon,
    info: Mapping[str, Any],
    *,
    changed: Collection[str] = (),
    resumed: bool = False,
    resumable: bool = True,
) -> Found:
    """See whether this is the database that should be here, and hold it against `upgrade_info`.

    Raises GuestError when it is another one. Repeatable.
    """
    with session(daemon) as connection:
        now = inspection.read_back(connection, daemon)
        known = inspection.global_variables(connection)
        plugins = inspection.plugins(connection)
    _check(daemon, now)
    before = info.get("read_back")
    if before is None:
        return Found(now, [], [])
    was, places = ReadBack.model_validate(before), _places(daemon)
    told = list(_adjusted(was, now, info.get("origins", {}), places, known))
    adjusted = [name for name, _ in told if name not in changed]
    differences = comparison.findings(
        was, now, changed={*changed, *adjusted}, resumed=resumed, resumable=resumable
    )
    differences += [finding for name, finding in told if name not in changed]
    differences += _lacking(info.get("plugins", {}), plugins, resumed)
    return Found(now, differences, adjusted)


def _check(daemon: Daemon, now: ReadBack) -> None:
    differences = []
    if now.engine_version != inspection.plain(daemon.version):
        differences.append(
            f"{daemon.dialect.title} {now.engine_version} runs, the image is of {daemon.version}"
        )
    if now.data_directory != str(daemon.data):
        differences.append(f"the data directory is {now.data_directory}, not {daemon.data}")
    if differences:
        raise GuestError(
            commands.brief(f"This is not the database that should be here: {differences[0]}"),
            seen="; ".join(differences),
            remedy="Clients are kept out. Attach the right volume, or put it back to its snapshot.",
        )


def _places(daemon: Daemon) -> dict[str, str]:
    return {name: beneath(option.path, daemon) for name, option in inspection.configured(daemon).items()}


def _adjusted(
    was: ReadBack,
    now: ReadBack,
    origins: Mapping[str, str],
    places: Mapping[str, str],
    known: Collection[str],
) -> Iterator[tuple[str, Finding]]:
    """Find settings that the same line of the same file sets, and that came out otherwise."""
    for name, value in was.settings.items():
        if places.get(name) != origins.get(name) or now.settings.get(name) == value:
            continue
        if name not in known:
            seen = f"{name} is still set in {places.get(name)}, and this version knows no such setting"
        elif name in now.settings:
            seen = f"{name} is set as before in {places.get(name)}; this version makes another value of it"
        else:
            continue
        yield (
            name,
            Finding(check="setting", severity=Severity.WARN, seen=seen, remedy="See whether that is wanted."),
        )


def _lacking(before: Collection[str], now: Collection[str], resumed: bool) -> list[Finding]:
    return [
        Finding(
            check="plugin",
            severity=Severity.WARN if resumed else Severity.BLOCK,
            seen=f"plug-in {name} is missing",
            remedy="Use an image with it, or go back and uninstall it; after a resume it is told only.",
        )
        for name in before
        if name not in now
    ]
