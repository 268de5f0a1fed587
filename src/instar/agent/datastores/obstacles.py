"""Findings that forbid an upgrade, and how they are told."""

from collections.abc import Iterable, Sequence
from typing import Any

from instar.wire.errors import Finding, Severity, Vetoed

TOLD = 10
"""How many of what was found are named; the rest are counted."""


def blocking(found: Iterable[Finding]) -> list[Finding]:
    """Give the findings that forbid the upgrade."""
    return [finding for finding in found if finding.severity is Severity.BLOCK]


def veto(findings: Iterable[Finding]) -> None:
    """Raise Vetoed, with all of those that block, when there are any."""
    if found := blocking(findings):
        raise Vetoed(
            f"The upgrade can't begin: {', '.join(dict.fromkeys(each.check for each in found))}",
            seen="; ".join(each.seen for each in found),
            remedy=" ".join(dict.fromkeys(each.remedy for each in found)),
            findings=found,
        )


def named(rows: Sequence[Sequence[Any]]) -> str:
    """Name what was found, and count the rest."""
    told = ", ".join(" in ".join(map(str, row)) for row in rows[:TOLD])
    return f"{told} and {len(rows) - TOLD} more" if len(rows) > TOLD else told
