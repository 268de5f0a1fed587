"""Indexes over text whose order a library decides that the new image brings in another version."""

from dataclasses import dataclass
from typing import Any, LiteralString

from instar.agent.datastores.postgresql.sessions import Session
from instar.wire.agent import IndexAtRisk, Manifest, UpgradeParams
from instar.wire.errors import Finding, Severity

LISTED = 200
"""How many indexes are listed, the largest first."""

_AT_RISK: LiteralString = """
    WITH ordered(oid, provider) AS (
        SELECT c.oid, CASE collprovider WHEN 'd' THEN datlocprovider ELSE collprovider END::text
        FROM pg_collation AS c, pg_database WHERE datname = current_database()
        AND CASE
            WHEN collprovider = 'c' OR (collprovider = 'd' AND datlocprovider = 'c')
            THEN coalesce(collcollate, datcollate) !~* '^(C|POSIX|C\\..*)$'
            ELSE collprovider = 'i' OR (collprovider = 'd' AND datlocprovider = 'i') END
    ), found AS (
        SELECT indexrelid, indrelid, indisunique, min(provider) AS provider,
            c.relpages * current_setting('block_size')::bigint AS size
        FROM pg_index CROSS JOIN unnest(indcollation::oid[]) AS used(oid) JOIN ordered USING (oid)
        JOIN pg_class c ON c.oid = indexrelid JOIN pg_am a ON a.oid = relam
        WHERE amname <> 'hash' AND relkind = 'i' AND relpersistence <> 't' AND provider = ANY (%s)
        GROUP BY indexrelid, indrelid, indisunique, c.relpages
    )
    SELECT indexrelid::regclass::text, indrelid::regclass::text, size, provider, indisunique,
        count(*) OVER (), sum(size) OVER ()
    FROM found ORDER BY size DESC, 1 LIMIT %s
"""
"""Sizes are those that VACUUM and ANALYZE noted last: measuring them takes locks."""
_PROVIDERS: dict[str, Any] = {"c": "libc", "i": "icu"}


@dataclass
class Indexes:
    """The indexes at risk of all databases looked at so far; `changed` are the providers, as collprovider."""

    changed: list[str]
    found: list[IndexAtRisk]
    count: int = 0
    bytes: int = 0

    @classmethod
    def of(cls, here: Manifest, params: UpgradeParams) -> "Indexes":
        """Begin: see which libraries the target image has in another version, where both are known."""
        pairs = {"c": (here.glibc, params.target_glibc), "i": (here.icu, params.target_icu)}
        return cls([name for name, (old, new) in pairs.items() if old and new and old != new], [])

    def look(self, connection: Session) -> None:
        """Look into one database."""
        if not self.changed:
            return
        rows = connection.execute(_AT_RISK, [self.changed, LISTED]).fetchall()
        self.found += [
            IndexAtRisk(
                database=connection.info.dbname,
                index=index,
                table=table,
                bytes=size,
                provider=_PROVIDERS[provider],
                unique=unique,
            )
            for index, table, size, provider, unique, _, _ in rows
        ]
        if rows:
            self.count, self.bytes = self.count + rows[0][-2], self.bytes + int(rows[0][-1])

    def largest(self) -> list[IndexAtRisk]:
        """Give the largest ones, as many as are listed."""
        return sorted(self.found, key=lambda each: -each.bytes)[:LISTED]

    def finding(self) -> list[Finding]:
        """Warn when there are any."""
        if not self.count:
            return []
        listed = f", the largest {LISTED} are listed" if self.count > LISTED else ""
        return [
            Finding(
                check="text_ordering",
                severity=Severity.WARN,
                seen=f"{self.count} indexes over text ({self.bytes >> 20} MiB) are ordered by a library that "
                f"changes{listed}",
                remedy="Have them rebuilt once the upgrade is done (REINDEX).",
            )
        ]
