"""Extensions: whether the target image has them, and what becomes of their versions."""

from collections.abc import Iterator, Mapping

from instar.agent.datastores.postgresql.inspection import Inside
from instar.wire.agent import UpgradeParams
from instar.wire.errors import Finding, Severity


def findings(inside: Mapping[str, Inside], params: UpgradeParams) -> Iterator[Finding]:
    """Hold what is installed against what the target image offers, where that is known."""
    if not params.target_extensions:
        return
    for name, places in sorted(_installed(inside).items()):
        offered = params.target_extensions.get(name)
        if offered is None:
            yield Finding(
                check="extensions",
                seen=f"extension {name} is installed in {_told(places)} and the target image lacks it",
                remedy="Drop the extension, or use an image that has it.",
            )
            continue
        for version in sorted(set(places.values()) - {offered}):
            here = {database: each for database, each in places.items() if each == version}
            yield _change(name, version, offered, here)


def _change(name: str, version: str, offered: str, places: Mapping[str, str]) -> Finding:
    if _numbers(version) > _numbers(offered):
        return Finding(
            check="extension_versions",
            severity=Severity.WARN,
            seen=f"extension {name} is of version {version} in {_told(places)}, there of {offered}",
            remedy="It stays as it is; see whether its older library can serve it.",
        )
    return Finding(
        check="extension_versions",
        severity=Severity.NOTE,
        seen=f"extension {name} will be updated in {_told(places)}: {version} -> {offered}",
    )


def _installed(inside: Mapping[str, Inside]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for database, there in inside.items():
        for name, version in there.extensions.items():
            found.setdefault(name, {})[database] = version
    return found


def _told(places: Mapping[str, str]) -> str:
    return f"database{'s' * (len(places) > 1)} {', '.join(sorted(places))}"


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part.isdecimal()]
