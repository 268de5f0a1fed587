"""What this installation's own upgrades took: where forecasts and estimates come from."""

import math
from collections.abc import Iterator
from statistics import median

from sqlalchemy import select
from sqlalchemy.orm import Session

from instar.control.operations.context import Context
from instar.control.store.tables import Operation, Outage, StepRecord
from instar.wire.plans import Forecast, Method
from instar.wire.states import StepState

NEWEST = 200
"""How many outages a forecast rests on at most."""
LOOKED_AT = 500
"""Ended operations among which snapshots are looked for, so that a long history costs nothing."""
COPIES = 20
"""How many copies of snapshots an estimate rests on at most."""
REBUILDS = 20
"""How many rebuilds of indexes an estimate rests on at most."""
TELLING = 8 << 20
"""Bytes from which on a rebuild tells of more than its beginning and end."""
_CLASSES = ((1 << 30, "<1G"), (10 << 30, "<10G"), (100 << 30, "<100G"), (1 << 40, "<1T"))


def sort_of(
    manager: str,
    crossing: tuple[str, str] | None,
    method: Method,
    data_bytes: int | None,
    *,
    copied: bool,
    rebuilt: bool = False,
    replaced: bool = False,
) -> str:
    """Name what is alike: engine, change of format (None: it stays), method, size class of the data.

    The method counts where the format changes only; `copied` says that a snapshot is copied meanwhile,
    `rebuilt` that indexes are rebuilt, `replaced` that another server takes over.
    """
    parts = [manager, "->".join(crossing) if crossing else "same", method if crossing else "-"]
    parts.append(_size_class(data_bytes))
    parts += ["snapshot copied"] if copied else []
    parts += ["indexes rebuilt"] if rebuilt else []
    return "|".join([*parts, "replace"] if replaced else parts)


def _size_class(data_bytes: int | None) -> str:
    if data_bytes is None:
        return "unknown size"
    return next((name for limit, name in _CLASSES if data_bytes < limit), ">=1T")


def forecast(session: Session, sort: str) -> Forecast:
    """Give the median and the 95th percentile of the newest upgrades of a sort, by nearest rank."""
    query = select(Outage.seconds).where(Outage.sort == sort).order_by(Outage.id.desc()).limit(NEWEST)
    seconds = sorted(session.execute(query).scalars())
    if not seconds:
        return Forecast(upgrades=0, sort=sort)
    return Forecast(upgrades=len(seconds), p50=_rank(seconds, 0.5), p95=_rank(seconds, 0.95), sort=sort)


def _rank(ordered: list[float], share: float) -> float:
    return round(ordered[math.ceil(share * len(ordered)) - 1], 3)


def remember(ctx: Context) -> None:
    """Keep how long the upgrade kept clients out, under the sort that its plan named; may be repeated.

    What was not watched from beginning to end is no history, nor what waited for somebody to resume it.
    """
    outage, sort = (
        ctx.work.outage or {},
        ctx.output("preflight").get("plan", {}).get("forecast", {}).get("sort"),
    )
    if not sort or not outage.get("whole") or ctx.work.resumes:
        return
    with ctx.store.begin() as session:
        known = select(Outage.id).where(Outage.operation_id == ctx.work.operation_id)
        if session.execute(known).first() is None:
            session.add(
                Outage(
                    operation_id=ctx.work.operation_id,
                    sort=sort,
                    seconds=outage["seconds"],
                    created=ctx.store.now(session),
                )
            )


def snapshot_seconds(session: Session, data_bytes: int | None) -> float | None:
    """Estimate how long the copy of a snapshot takes by those that upgrades have made; None without any."""
    rates = list(_copy_rates(session))
    return round(data_bytes / median(rates), 1) if rates and data_bytes is not None else None


def _copy_rates(session: Session) -> Iterator[float]:
    """Give bytes a second of the newest copies among the newest operations."""
    newest = (
        select(Operation.id)
        .where(Operation.kind == "upgrade", Operation.ended.is_not(None))
        .order_by(Operation.ended.desc())
    )
    planned = Operation.outputs["preflight"]["plan"]["snapshot"]
    query = (
        select(StepRecord.started, StepRecord.ended, planned["bytes"].as_integer())
        .join(Operation, Operation.id == StepRecord.operation_id)
        .where(Operation.id.in_(select(newest.limit(LOOKED_AT).subquery().c.id)))
        .where(StepRecord.name == "snapshot", StepRecord.state == StepState.DONE)
        .order_by(Operation.ended.desc())
        .limit(COPIES)
    )
    for started, ended, copied in session.execute(query):
        if copied and ended is not None and ended > started:
            yield copied / (ended - started)


def rebuild_rates(session: Session) -> list[float]:
    """Give bytes a second of the newest rebuilds of indexes that upgrades had to make."""
    rebuilt = Operation.outputs["post_upgrade"]["text_ordering"]
    query = (
        select(rebuilt["bytes"].as_integer(), rebuilt["seconds"].as_float())
        .where(Operation.kind == "upgrade", Operation.ended.is_not(None))
        .order_by(Operation.ended.desc())
        .limit(LOOKED_AT)
    )
    found = ((size or 0, seconds) for size, seconds in session.execute(query) if seconds)
    return [size / seconds for size, seconds in found if size >= TELLING][:REBUILDS]
