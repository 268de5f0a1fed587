"""Options of files, held against what the target knows, and what of the configuration does not cross."""

from collections.abc import Iterator
from pathlib import Path

from instar.agent.datastores import obstacles
from instar.agent.datastores.mysql_family import configuration, inspection, variables
from instar.agent.datastores.mysql_family.daemon import Daemon
from instar.agent.datastores.mysql_family.sessions import Session
from instar.agent.datastores.mysql_family.variables import Option
from instar.wire.agent import UpgradeParams
from instar.wire.errors import Finding, Severity

_OF_THE_SYSTEM = ("/usr/", "/run/", "/dev/", "/proc/", "/sys/")
_OURS = {
    *("innodb_max_dirty_pages_pct", "innodb_max_dirty_pages_pct_lwm", "innodb_fast_shutdown"),
    "strict_password_validation",
}
"""What `pre_upgrade` sets for a while, and what is set at each start."""


def refused(daemon: Daemon, params: UpgradeParams) -> Iterator[Finding]:
    """Find options with which the target would not start, or which it would pass over."""
    options = inspection.configured(daemon)
    for option in variables.unknown(list(options.values()), params.target_parameters):
        yield Finding(
            check="option",
            seen=f"option {option.name} in {option.place} is not known to {daemon.dialect.title}"
            f" {params.target_engine_version}",
            remedy=_remedy(daemon, option),
        )


def worth_knowing(daemon: Daemon, session: Session, params: UpgradeParams) -> Iterator[Finding]:
    """Find what of the configuration does not cross: groups, files elsewhere, what stands in no file."""
    options = inspection.configured(daemon)
    yield from _groups(daemon, params)
    yield from _elsewhere(daemon, list(options.values()))
    yield from _included_from_elsewhere(daemon, list(options.values()))
    if names := [each for each in inspection.set_by_hand(session, options) if each not in _OURS]:
        yield Finding(
            check="variables",
            severity=Severity.WARN,
            seen=f"variables were set while the server ran and stand in no file, so that the upgrade's"
            f" restart ends them: {obstacles.named([[name] for name in names])}",
            remedy="Set them through the instance's configuration where they are to stay.",
        )


def left_behind(daemon: Daemon, params: UpgradeParams) -> list[Option]:
    """Give the options whose groups name this series: no other reads them."""
    heeded = daemon.dialect.groups_of(params.target_engine_version)
    return [each for each in inspection.configured(daemon).values() if each.group not in heeded]


def _remedy(daemon: Daemon, option: Option) -> str:
    why = f": {told}" if (told := daemon.dialect.removed.get(option.name)) else ""
    if option.path.name == configuration.OURS:
        return f"Take {option.name} out of the instance's configuration{why}."
    return f"Remove it{why}. Or write loose_{option.name} where only some versions know it."


def _groups(daemon: Daemon, params: UpgradeParams) -> Iterator[Finding]:
    if found := left_behind(daemon, params):
        yield Finding(
            check="option_group",
            severity=Severity.WARN,
            seen=f"options in groups that the target does not read: "
            f"{obstacles.named([[each.name, f'[{each.group}]', each.place] for each in found])}",
            remedy="Move them to [mysqld], or to the target's group, where they are to hold there.",
        )


def _elsewhere(daemon: Daemon, options: list[Option]) -> Iterator[Finding]:
    """Find options that name files which are neither on the volume nor below the folder that crosses."""
    kept = (daemon.layout.configuration, daemon.layout.volume, Path("/var/lib/instar/data"))
    found = [
        each
        for each in options
        if (value := each.value)
        and value.startswith("/")
        and not value.startswith(_OF_THE_SYSTEM)
        and Path(value).is_file()
        and not any(Path(value).is_relative_to(place) for place in kept)
    ]
    if found:
        yield Finding(
            check="files",
            severity=Severity.WARN,
            seen="options name files on the root disk, which the upgrade replaces: "
            + obstacles.named([[f"{each.name} = {each.value}", each.place] for each in found]),
            remedy=f"Move the files below {daemon.layout.configuration}.",
        )


def _included_from_elsewhere(daemon: Daemon, options: list[Option]) -> Iterator[Finding]:
    """Find options whose files don't cross, since the folder's files only include them."""
    found = [
        each
        for each in options
        if not each.path.is_relative_to(daemon.layout.configuration)
        and not str(each.path).startswith(_OF_THE_SYSTEM)
    ]
    if found:
        yield Finding(
            check="files",
            seen="options stand in files on the root disk, which the upgrade replaces: "
            + obstacles.named([[each.name, each.place] for each in found]),
            remedy=f"Move the files below {daemon.layout.configuration}, or include them no more.",
        )
