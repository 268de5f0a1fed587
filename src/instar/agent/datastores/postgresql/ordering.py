"""Which indexes and other things depend on how text is ordered, by a library whose version changes.

An index is at risk when a key of its own, a part of one, its expression or its condition compares text by a
collation of glibc or ICU. Those whose order no version can change are left out: collations C and POSIX, byte
order (`text_pattern_ops`), and hash indexes, which know equality only.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from instar.agent.datastores import obstacles
from instar.agent.datastores.postgresql import ordering_note, ordering_queries
from instar.agent.datastores.postgresql.ordering_note import Ordering
from instar.agent.datastores.postgresql.sessions import Session
from instar.wire.agent import IndexAtRisk, Manifest, UpgradeParams
from instar.wire.errors import Finding, Severity

LISTED = 200
"""How many indexes are listed, the largest first."""
CODE_POINTS = (2, 35)
"""The first glibc whose C.UTF-8 orders by code point alone, everywhere."""

_BY_BYTES = r"^(C|POSIX|C\..*)$"
_BY_BYTES_BEFORE = r"^(C|POSIX)$"

_TOLD = {
    "partitions": (
        Severity.WARN,
        "tables partitioned by ranges of text, some of whose rows may belong to other partitions afterwards",
        "They are looked for before clients are let in. Detach such partitions first, or partition by list, "
        'by hash, or by COLLATE "C".',
    ),
    "checks": (Severity.NOTE, "constraints that compare text, which rows may break afterwards", ""),
    "generated": (Severity.NOTE, "stored columns that are computed by comparing text", ""),
    "views": (Severity.NOTE, "materialized views over text, which may be of use to refresh", ""),
    "foreign": (Severity.NOTE, "foreign tables, whose servers may order text otherwise", ""),
}


@dataclass(frozen=True)
class Index:
    """An index at risk; `file` is another one after each rebuild."""

    database: str
    oid: int
    file: int
    name: str
    table: str
    bytes: int
    library: str
    unique: bool
    method: str = "btree"

    def __str__(self) -> str:
        return f"{self.database}: {self.name} on {self.table}"


@dataclass(frozen=True)
class Change:
    """The libraries whose versions change, and the expression that collations match that none can change."""

    libraries: list[str]
    by_bytes: str = _BY_BYTES

    @classmethod
    def between(cls, before: Ordering, after: ordering_note.Versions) -> "Change":
        """Hold what indexes are ordered by against what a server has."""
        glibc = {*before.by.get("libc", []), after.get("libc", "")} - {""}
        is_strict = all(_numbers(version) >= CODE_POINTS for version in glibc)
        return cls(before.strangers(after), _BY_BYTES if is_strict else _BY_BYTES_BEFORE)

    def parameters(self) -> dict[str, Any]:
        """Give the parameters of the queries."""
        return {"changed": self.libraries, "by_bytes": self.by_bytes, "listed": LISTED}


def at_risk(connection: Session, change: Change) -> list[Index]:
    """Find the indexes at risk in a session's database, largest first, with their sizes as they are."""
    rows = connection.execute(ordering_queries.ALL, change.parameters())
    return [Index(connection.info.dbname, *row) for row in rows]


def beyond(connection: Session, change: Change) -> Iterator[Finding]:
    """Tell what else depends on the order of text in a session's database, which a rebuild doesn't mend."""
    found: dict[str, list[Sequence[Any]]] = {}
    for kind, name in connection.execute(ordering_queries.BEYOND, change.parameters()):
        found.setdefault(kind, []).append([name])
    for kind, names in found.items():
        severity, what, remedy = _TOLD[kind]
        seen = f"in database {connection.info.dbname}, {what}: {obstacles.named(names)}"
        yield Finding(check="text_ordering", severity=severity, seen=seen, remedy=remedy)


class Indexes:
    """The indexes at risk of an upgrade, of all databases looked at so far."""

    def __init__(self, here: Manifest, params: UpgradeParams, noted: Ordering | None) -> None:
        claimed = ordering_note.noted({"glibc": here.glibc, "icu": here.icu})
        before = (noted or Ordering()).filled(claimed)
        there = ordering_note.versions(params.target_glibc, params.target_icu)
        self.change = Change.between(before, there)
        self.policy = params.text_ordering
        self.found: list[IndexAtRisk] = []
        self.others: list[Finding] = []
        self.count = self.bytes = 0
        self._is_asked = bool(there)

    def look(self, connection: Session) -> None:
        """Look into one database."""
        if not self._is_asked:
            return
        rows = connection.execute(ordering_queries.LARGEST, self.change.parameters()).fetchall()
        self.found += [
            IndexAtRisk(
                database=connection.info.dbname,
                index=index,
                table=table,
                bytes=size,
                provider=library,
                unique=unique,
            )
            for index, table, size, library, unique, _, _ in rows
        ]
        if rows:
            self.count, self.bytes = self.count + rows[0][-2], self.bytes + int(rows[0][-1])
        self.others += beyond(connection, self.change)

    def largest(self) -> list[IndexAtRisk]:
        """Give the largest ones, as many as are listed."""
        return sorted(self.found, key=lambda each: -each.bytes)[:LISTED]

    def findings(self) -> list[Finding]:
        """Tell of them as the policy wants it, and of what else depends on the order of text."""
        if not self.count:
            return self.others
        listed = f", the largest {LISTED} are listed" if self.count > LISTED else ""
        severity, remedy = _BY_POLICY[self.policy]
        what = "1 index over text is" if self.count == 1 else f"{self.count} indexes over text are"
        seen = f"{what} ordered by a library that changes: {self.bytes >> 20} MiB{listed}"
        return [Finding(check="text_ordering", severity=severity, seen=seen, remedy=remedy), *self.others]


_BY_POLICY = {
    "rebuild": (Severity.WARN, "They are rebuilt before clients are let in, which adds to the downtime."),
    "block": (
        Severity.BLOCK,
        "Upgrade with text_ordering rebuild, or to an image whose glibc and ICU are those of this one.",
    ),
    "warn": (
        Severity.WARN,
        "Nothing is rebuilt (text_ordering warn): queries may miss rows and unique indexes admit duplicates "
        "until you have them rebuilt (REINDEX), or upgrade with text_ordering rebuild.",
    ),
}


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])
