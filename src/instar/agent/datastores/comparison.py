"""What there was when clients were kept out, held against what there is before they are let in again."""

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial

from instar.agent import commands
from instar.wire.agent import ReadBack
from instar.wire.errors import Finding, GuestError, Severity
from instar.wire.secrets import is_secret

_LOST = "Clients are kept out. Put the volume back to its snapshot, or see what removed it."
_SETTING = "Correct the configuration; after a resume the difference is told only."
_SETTING_HERE = "Correct the configuration and go back again, or put the volume back to its snapshot."


def findings(
    before: ReadBack,
    after: ReadBack,
    *,
    changed: Collection[str] = (),
    resumed: bool = False,
    resumable: bool = True,
) -> list[Finding]:
    """Find all that is missing, and settings that are not as before.

    `changed` names the settings that were to change. After a resume, whoever mended the cause may have meant
    other settings to change, and extensions and objects to go: that is told only. `resumable` says whether a
    resume does that here.
    """
    severity = Severity.WARN if resumed else Severity.BLOCK
    setting = partial(
        Finding,
        check="setting",
        severity=severity,
        remedy=_SETTING if resumable else _SETTING_HERE,
    )
    return [
        *_missing("database", before.databases, after.databases),
        *_missing("user", before.users, after.users),
        *_missing("extension", before.extensions, after.extensions, severity),
        *_fewer(before.catalog, after.catalog, severity),
        *_otherwise(before.settings, after.settings, changed, setting),
    ]


def refuse(found: list[Finding]) -> None:
    """Raise GuestError, with every finding, when one of them blocks."""
    if blocking := [finding for finding in found if finding.severity is Severity.BLOCK]:
        raise GuestError(
            commands.brief(f"Clients were not let in: {blocking[0].seen}"),
            seen="; ".join(finding.seen for finding in blocking),
            remedy=" ".join(dict.fromkeys(finding.remedy for finding in blocking)),
            findings=found,
        )


def _missing(
    what: str, before: Collection[str], after: Collection[str], severity: Severity = Severity.BLOCK
) -> Iterator[Finding]:
    for name in before:
        if name not in after:
            yield Finding(check=what, severity=severity, seen=f"{what} {name} is missing", remedy=_LOST)


def _fewer(before: Mapping[str, int], after: Mapping[str, int], severity: Severity) -> Iterator[Finding]:
    for kind, count in before.items():
        if (now := after.get(kind, 0)) < count:
            seen = f"{kind}: {count} before, {now} now"
            yield Finding(check="catalog", severity=severity, seen=seen, remedy=_LOST)


def _otherwise(
    before: Mapping[str, str],
    after: Mapping[str, str],
    changed: Collection[str],
    finding: Callable[..., Finding],
) -> Iterator[Finding]:
    for name, value in before.items():
        if name not in changed and after.get(name) != value:
            was, now = (f" was {value!r}", f" is {after.get(name)!r} now")
            if is_secret(name):
                was, now = (" was set", " is set otherwise now")
            seen = f"{name}{was} and{now if name in after else ' is not set any more'}"
            yield finding(seen=seen)
