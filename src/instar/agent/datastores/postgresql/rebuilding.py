"""Indexes are rebuilt by several sessions at once, the largest first, and told of in bytes that are done.

The database itself remembers which are done: a rebuilt index has another file. So nothing is noted on the
way, and after a crash nothing is done twice.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent import futures
from dataclasses import dataclass, field
from threading import Event, Lock

import psycopg
from psycopg import sql

from instar.agent import commands
from instar.agent.datastores.base import Report
from instar.agent.datastores.postgresql import sessions
from instar.agent.datastores.postgresql.cluster import Cluster
from instar.agent.datastores.postgresql.ordering import Index
from instar.agent.datastores.postgresql.sessions import Session
from instar.wire.errors import Finding, GuestError

WORKERS = 8
"""How many sessions at most."""
SMALL = 8 << 20
"""Bytes of an index below which it shares its session with others."""
TOGETHER = 100
LEAST_MEMORY, MOST_MEMORY = 16, 1024
"""MiB for each session's sorting."""
_MIB = 1 << 20


class _Ended(Exception):
    """Another session has failed, or nobody wants the rebuild any more."""


@dataclass
class _Tally:
    """What all sessions have done so far; read and written by many threads."""

    indexes: int
    bytes: int
    done: int = 0
    done_bytes: int = 0
    failed: dict[Index, Finding] = field(default_factory=dict)
    efforts: dict[int, int] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)
    stop: Event = field(default_factory=Event)

    def tell(self, report: Report) -> None:
        """Say how far it is."""
        with self.lock:
            message = (
                f"rebuilding indexes over text: {self.done} of {self.indexes}, "
                f"{self.done_bytes // _MIB} of {self.bytes // _MIB} MiB"
            )
            share = self.done_bytes / self.bytes if self.bytes else 1.0
            measure = self.done_bytes + sum(self.efforts.values())
        report(message, round(90 + 4 * share, 1), measure)


def rebuild(
    cluster: Cluster, indexes: Sequence[Index], facts: Mapping[str, str], report: Report
) -> dict[Index, Finding]:
    """Rebuild them, as many at once as there are CPUs; tells of those that can't be rebuilt.

    What `report` raises ends all of it. Raises InstarError for what has nothing to do with one index, such as
    a full volume. Repeatable.
    """
    tally = _Tally(len(indexes), sum(index.bytes for index in indexes))
    workers = max(1, min(len(os.sched_getaffinity(0)), WORKERS, len(indexes)))
    settings = _settings(facts.get("ram", ""), workers)
    with futures.ThreadPoolExecutor(workers, "rebuild") as threads:
        running = {threads.submit(_work, cluster, part, settings, tally) for part in _parts(indexes)}
        try:
            while running:
                ended, running = futures.wait(running, commands.TICK, futures.FIRST_COMPLETED)
                for each in ended:
                    each.result()
                tally.tell(report)
        except BaseException:
            tally.stop.set()
            raise
    return tally.failed


def _parts(indexes: Sequence[Index]) -> Iterator[Sequence[Index]]:
    """Give each large index alone, and small ones of a database together."""
    small: dict[str, list[Index]] = {}
    for index in sorted(indexes, key=lambda index: -index.bytes):
        if index.bytes >= SMALL:
            yield [index]
        else:
            small.setdefault(index.database, []).append(index)
    for found in small.values():
        yield from (found[at : at + TOGETHER] for at in range(0, len(found), TOGETHER))


def _settings(ram: str, workers: int) -> dict[str, str]:
    """Give what each session works with: a quarter of the memory, and of the CPUs, its share."""
    helpers = max(0, len(os.sched_getaffinity(0)) // workers - 1)
    settings = {"max_parallel_maintenance_workers": str(helpers)}
    if ram.isdecimal():
        share = int(ram) // 4 // workers
        settings["maintenance_work_mem"] = f"{min(max(share, LEAST_MEMORY), MOST_MEMORY)}MB"
    return settings


def _work(cluster: Cluster, part: Sequence[Index], settings: Mapping[str, str], tally: _Tally) -> None:
    """Rebuild some indexes of one database."""
    with sessions.session(cluster, part[0].database) as connection:
        for name, value in settings.items():
            connection.execute("SELECT set_config(%s, %s, false)", [name, value])
        for index in part:
            if tally.stop.is_set():
                return
            _rebuild(connection, index, tally)


def _rebuild(connection: Session, index: Index, tally: _Tally) -> None:
    def tick(effort: int) -> None:
        if tally.stop.is_set():
            raise _Ended
        with tally.lock:
            tally.efforts[connection.info.backend_pid] = effort

    failed: dict[Index, Finding] = {}
    try:
        sessions.execute(connection, sql.SQL("REINDEX INDEX {}").format(_name(connection, index)), tick)
    except psycopg.OperationalError:
        raise
    except psycopg.Error as error:
        failed = {index: _finding(index, error)}
    with tally.lock:
        tally.done, tally.done_bytes = tally.done + 1, tally.done_bytes + index.bytes
        tally.failed |= failed


def _name(connection: Session, index: Index) -> sql.Composed:
    """Name the index as the database does now, schema and all."""
    found = connection.execute(
        "SELECT nspname, relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
        " WHERE c.oid = %s",
        [index.oid],
    ).fetchone()
    if found is None:
        raise GuestError(f"Index {index.name} has vanished", remedy="Resume the operation.", retryable=True)
    return sql.SQL("{}").format(sql.Identifier(*found))


def _finding(index: Index, error: psycopg.Error) -> Finding:
    """Tell what the database said, but not which rows it spoke of."""
    if isinstance(error, psycopg.errors.UniqueViolation):
        return Finding(
            check="duplicates",
            seen=f"unique index {index} can't be rebuilt: rows are there twice",
            remedy="They came in while the index was in another order. Go back onto the old image, remove "
            "them there, and upgrade again; a resume leaves the index as it is and lets clients in.",
        )
    return Finding(
        check="text_ordering",
        seen=f"index {index} can't be rebuilt: {error.diag.message_primary}",
        remedy="Go back onto the old image and drop or mend the index there; a resume leaves it as it is.",
    )


def files(indexes: Iterable[Index]) -> dict[str, dict[int, int]]:
    """Give which file each index has, by database."""
    found: dict[str, dict[int, int]] = {}
    for index in indexes:
        found.setdefault(index.database, {})[index.oid] = index.file
    return found
