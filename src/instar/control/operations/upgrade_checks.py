"""What an upgrade holds against each other afterwards: what was there before, and what is there now."""

from collections.abc import Collection

from instar.control.operations import guest_steps
from instar.wire.agent import ReadBack
from instar.wire.errors import Finding, InstarError, Severity
from instar.wire.secrets import is_secret


def lost(before: ReadBack, after: ReadBack) -> list[Finding]:
    """Find databases and users that were there before and are missing now."""
    return [
        Finding(check=what, seen=f"{what} {name!r} is missing after the upgrade")
        for what, old, new in (
            ("database", before.databases, after.databases),
            ("user", before.users, after.users),
        )
        for name in old
        if name not in new
    ]


def altered(before: ReadBack, after: ReadBack, moved: Collection[str]) -> list[Finding]:
    """Find extensions that are missing, and settings that are not as before, but for those that `moved`.

    Whoever mended an upgrade that failed over one of them may have meant that.
    """
    missing = [name for name in before.extensions if name not in after.extensions]
    gone = [Finding(check="extension", seen=f"extension {name!r} is missing") for name in missing]
    return [*gone, *changed(before, after, moved)]


def changed(before: ReadBack, after: ReadBack, moved: Collection[str]) -> list[Finding]:
    """Find settings that are not as before, except those that `moved` with the configuration."""
    names = [name for name in before.settings if name not in moved]
    return [
        Finding(check=f"setting {name}", seen=_told(name, before.settings[name], after.settings.get(name)))
        for name in names
        if before.settings[name] != after.settings.get(name)
    ]


def _told(name: str, before: str, after: str | None) -> str:
    if is_secret(name):
        return f"setting {name} is not as it was"
    return f"setting {name} should be {before!r} and is {after!r}"


def told_only(findings: list[Finding]) -> list[Finding]:
    """Give findings that no longer stand in the way: whoever resumed the operation has read them."""
    return [finding.model_copy(update={"severity": Severity.WARN}) for finding in findings]


def broken_promise(findings: list[Finding]) -> InstarError | None:
    """Make one error of what is not as it was promised."""
    return guest_steps.verdict(_blocking(findings), "What runs is not what the upgrade promised")


def _blocking(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity == Severity.BLOCK]
