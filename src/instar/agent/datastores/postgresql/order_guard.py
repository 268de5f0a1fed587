"""The guard over the order of text, when a server has come onto an image whose libraries order it otherwise.

1. Finds the indexes at risk, by the note in the data directory (see `ordering_note`) and by the versions that
   the database itself has recorded: what either of them doubts is at risk.
2. Does as the policy says: `rebuild` goes on, `block` refuses, `warn` tells of them and ends.
3. Notes which file each index has, and rebuilds those that are not done yet (see `rebuilding`).
4. Looks whether they are in order now (`verification`), and for rows in wrong partitions (`misplaced`).
5. Has the database record the present versions, and notes that all indexes are ordered by these.

Clients are out meanwhile. Each step looks before it acts, so that all of it may be repeated after a crash.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from instar.agent.datastores import comparison, obstacles
from instar.agent.datastores.base import Report
from instar.agent.datastores.postgresql import (
    collations,
    misplaced,
    ordering,
    ordering_note,
    rebuilding,
    verification,
)
from instar.agent.datastores.postgresql.cluster import Cluster
from instar.agent.datastores.postgresql.ordering import LISTED, Change, Index
from instar.agent.datastores.postgresql.ordering_note import Ordering, Versions
from instar.agent.datastores.postgresql.sessions import databases, session
from instar.wire.agent import Manifest, TextOrderingPolicy
from instar.wire.errors import Finding, Severity


@dataclass
class Kept:
    """What was found and done."""

    findings: list[Finding] = field(default_factory=list)
    rebuilt: list[Index] = field(default_factory=list)
    seconds: float = 0.0

    def told(self) -> dict[str, Any]:
        """Give what the record keeps: the largest indexes, and what all of them took."""
        return {
            "indexes": [str(index) for index in self.rebuilt[:LISTED]],
            "count": len(self.rebuilt),
            "bytes": sum(index.bytes for index in self.rebuilt),
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True)
class Guard:
    """Where it stands: the cluster, with clients out, on which image, and what is wanted.

    `refuses` says whether what can't be mended keeps clients out, or is told only.
    """

    cluster: Cluster
    manifest: Manifest
    facts: Mapping[str, str]
    policy: TextOrderingPolicy
    refuses: bool

    def keep(self, noted: Ordering, report: Report, *, stale: bool) -> Kept:
        """Carry it out. `stale` says whether the database has recorded other versions than there are.

        Raises GuestError, when it refuses. Repeatable.
        """
        here = ordering_note.of(self.manifest)
        if not (noted.strangers(here) or stale):
            if noted.by:
                ordering_note.settle(self.cluster.data, here)
            return Kept()
        change = Change.between(noted, here)
        report("looking for indexes over text", 90)
        doubted = self._doubted(change)
        if doubted and (self.policy == "warn" or (self.policy == "block" and self.refuses)):
            ordering_note.write(self.cluster.data, noted)
            return Kept(self._left(doubted, change))
        return self._rebuild(_moving(noted, here, doubted), doubted, change, report)

    def _rebuild(self, note: Ordering, doubted: list[Index], change: Change, report: Report) -> Kept:
        here = ordering_note.of(self.manifest)
        due = [index for index in doubted if _is_due(index, note, here)]
        ordering_note.write(self.cluster.data, note)
        began = time.monotonic()
        failed = rebuilding.rebuild(self.cluster, due, self.facts, report) if due else {}
        done = [index for index in due if index not in failed]
        kept = Kept([*failed.values()], done, time.monotonic() - began)
        kept.findings += verification.verify(self.cluster, done, report)
        kept.findings += self._misplaced(change, report)
        self._refuse(kept.findings)
        if not failed:
            collations.refresh(self.cluster)
            ordering_note.settle(self.cluster.data, here)
        return kept

    def _doubted(self, change: Change) -> list[Index]:
        found: list[Index] = []
        for database in self._databases():
            with session(self.cluster, database) as connection:
                found += ordering.at_risk(connection, change)
        return sorted(found, key=lambda index: -index.bytes)

    def _misplaced(self, change: Change, report: Report) -> list[Finding]:
        found: list[Finding] = []
        for database in self._databases():
            with session(self.cluster, database) as connection:
                found += misplaced.find(connection, change, report)
        return found

    def _left(self, doubted: list[Index], change: Change) -> list[Finding]:
        """Tell of everything that is left as it is."""
        names = obstacles.named([[index] for index in doubted])
        seen = f"{len(doubted)} indexes over text are ordered by another version of a library: {names}"
        severity = Severity.BLOCK if self.policy == "block" else Severity.WARN
        found = [Finding(check="text_ordering", severity=severity, seen=seen, remedy=_REMEDY)]
        for database in self._databases():
            with session(self.cluster, database) as connection:
                found += ordering.beyond(connection, change)
        self._refuse(found)
        return found

    def _refuse(self, found: list[Finding]) -> None:
        """Keep clients out where something blocks, or have it told only."""
        if self.refuses and self.policy != "warn":
            comparison.refuse(found)
        for finding in obstacles.blocking(found):
            finding.severity = Severity.WARN

    def _databases(self) -> list[str]:
        with session(self.cluster) as connection:
            return databases(connection)


_REMEDY = (
    "Queries may miss rows and unique indexes admit duplicates: have them rebuilt (REINDEX), or go back onto "
    "the old image."
)


def _moving(noted: Ordering, here: Versions, doubted: list[Index]) -> Ordering:
    """Give the note of a rebuild: the one that is under way to these versions or from them, or a new one."""
    if noted.towards and (noted.towards == here or not Ordering(by=noted.by).strangers(here)):
        return noted
    return Ordering(by=noted.by, towards=dict(here), files=rebuilding.files(doubted))


def _is_due(index: Index, note: Ordering, here: Versions) -> bool:
    """Tell whether an index has still to be rebuilt, by its file: on the way back, those that were are."""
    is_as_noted = note.files.get(index.database, {}).get(index.oid) == index.file
    return is_as_noted if note.towards == here else not is_as_noted
