"""Makes a plan: looks at everything, gathers every finding, decides what would be done."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from instar.control.catalog import managers
from instar.control.operations import guest_steps
from instar.control.operations.context import Context
from instar.control.operations.planning import (
    configuration,
    history,
    machine,
    reversibility,
    snapshots,
    software,
    strategies,
)
from instar.control.operations.planning.sight import Sight, look
from instar.control.operations.planning.wanted import Wanted
from instar.control.operations.probes import registered
from instar.wire.errors import Finding, InstarError, Severity
from instar.wire.plans import (
    Forecast,
    Plan,
    PlannedSnapshot,
    PlannedStrategy,
    Strategy,
    TextOrdering,
    Translation,
    hash_of,
)

FUTILE = frozenset(
    {"path", "operation", "status", "image", "server", "agent", "guest", "database", "volume", "flavor"}
    | {"strategy"}
)
"""Checks whose findings no force goes over: what they have found missing is what the upgrade is made of."""
_WEIGHT = {Severity.BLOCK: 0, Severity.WARN: 1, Severity.NOTE: 2}


def make(ctx: Context, wanted: Wanted, sight: Sight | None = None) -> Plan:
    """Make the plan of an upgrade, with the database up and changing nothing; may be repeated.

    What was seen already may be given. What does not answer is a retryable error for the first seconds of
    the step, and a finding from then on; nothing else is raised.
    """
    sight = sight or look(ctx, wanted)
    changes = _format_changes(ctx, sight)
    snapshot = snapshots.decide(wanted, ctx.provider.abilities, sight.volume, format_changes=changes)
    with ctx.store.read() as session:
        snapshot = _timed(session, snapshot)
        compared = list(_strategies(ctx, session, wanted, sight, snapshot))
        ordering = software.text_ordering(sight, wanted.text_ordering, history.rebuild_rates(session))
        created = ctx.store.now(session)
    return _plan(ctx, wanted, sight, snapshot, ordering, compared, created)


def refusal(plan: Plan, *, force: bool = False) -> InstarError | None:
    """Make one error of what blocks an upgrade that has not touched anything; None when nothing does.

    With `force`, only what can never work blocks.
    """
    standing = [each for each in plan.blocking() if not (force and each.check not in FUTILE)]
    return guest_steps.verdict(standing, "The upgrade was refused before any downtime")


def overridden(plan: Plan, *, force: bool) -> list[Finding]:
    """Give the findings that block and that `force` goes over."""
    return [each for each in plan.blocking() if force and each.check not in FUTILE]


def _plan(
    ctx: Context,
    wanted: Wanted,
    sight: Sight,
    snapshot: PlannedSnapshot,
    ordering: TextOrdering,
    compared: list[PlannedStrategy],
    created: float,
) -> Plan:
    from instar.control.operations.upgrade import STORY  # which makes plans itself

    format_ = {"format_changes": _format_changes(ctx, sight), "snapshot": snapshot.taken}
    story = strategies.steps_of(wanted.strategy, STORY.steps)
    point = reversibility.point_of_no_return(wanted, [step.name for step in story], **format_)
    translated = configuration.translations(ctx, sight)
    found = _sorted(_findings(ctx, wanted, sight, snapshot, point, translated, ordering))
    basis = _basis(ctx, wanted, sight, snapshot) | configuration.basis(ctx, sight, translated)
    window = ctx.instance.undo_window
    return Plan(
        id=ctx.work.operation_id,
        hash=hash_of(basis),
        instance_id=ctx.instance.id,
        created=datetime.fromtimestamp(created, UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        version_before=ctx.instance.version.name,
        version_after=wanted.version,
        image_before=ctx.instance.image,
        image_after=wanted.image,
        format_changes=format_["format_changes"],
        method=wanted.method,
        on_failure=wanted.on_failure,
        strategy=wanted.strategy,
        snapshot=snapshot,
        allowed=not any(finding.severity is Severity.BLOCK for finding in found),
        findings=found,
        steps=reversibility.steps(story, point, **format_),
        point_of_no_return=point,
        undo=reversibility.undo(ctx.undo_window if window is None else window, **format_),
        configuration=translated,
        text_ordering=ordering,
        probes=sight.facts.probes,
        forecast=next(each.forecast for each in compared if each.chosen),
        strategies=compared,
        basis=basis,
    )


def _findings(
    ctx: Context,
    wanted: Wanted,
    sight: Sight,
    snapshot: PlannedSnapshot,
    point: str | None,
    translated: list[Translation],
    ordering: TextOrdering,
) -> Iterable[Finding]:
    yield from sight.findings
    yield from machine.findings(ctx, wanted, sight)
    yield from strategies.findings(ctx, wanted)
    yield from snapshots.findings(snapshot, sight.volume)
    yield from configuration.findings(ctx, sight, translated)
    yield from software.extensions(sight)
    if managers.find(ctx.instance.version.manager).sorts_by_libraries:
        yield from software.ordering_findings(sight, ordering)
    yield from reversibility.findings(wanted, point, has_old_image=sight.image_before is not None)


def _sorted(found: Iterable[Finding]) -> list[Finding]:
    """Put what blocks first; the same finding from two sides is told once."""
    unique = {(finding.check, finding.seen): finding for finding in found}
    return sorted(unique.values(), key=lambda finding: _WEIGHT[finding.severity])


def _basis(ctx: Context, wanted: Wanted, sight: Sight, snapshot: PlannedSnapshot) -> dict[str, Any]:
    """Give all that the plan depends on, and nothing that varies by itself such as sizes and times."""
    instance = ctx.instance
    return {
        "version_before": instance.version.name,
        "version_after": wanted.version,
        "engine_before": sight.engine_before(ctx),
        "engine_after": sight.engine_after(ctx),
        "image_before": instance.image,
        "image_after": wanted.image,
        "configuration": configuration.told(ctx, sight),
        "configuration_group": instance.configuration_id,
        "undo_window": instance.undo_window,
        "extensions": sight.read_back.extensions if sight.read_back else {},
        "probes": {probe.name: probe.model_dump() for probe in registered(instance)},
        "flavor": instance.flavor_id,
        "strategy": wanted.strategy,
        "method": wanted.method,
        "snapshot_policy": wanted.snapshot,
        "snapshot_taken": snapshot.taken,
        "on_failure": wanted.on_failure,
        "text_ordering": wanted.text_ordering,
    }


def _crossing(ctx: Context, sight: Sight) -> tuple[str, str] | None:
    """Give the formats before and after, such as 17 and 18; None where the format stays, as far as known."""
    manager = managers.find(ctx.instance.version.manager)
    formats = manager.format_of(sight.engine_before(ctx)), manager.format_of(sight.engine_after(ctx))
    return None if formats[0] == formats[1] else formats


def _format_changes(ctx: Context, sight: Sight) -> bool:
    return _crossing(ctx, sight) is not None


def _timed(session: Session, snapshot: PlannedSnapshot) -> PlannedSnapshot:
    if not snapshot.taken or snapshot.instant:
        return snapshot
    seconds = history.snapshot_seconds(session, snapshot.bytes)
    return snapshot.model_copy(update={"seconds": seconds})


def _strategies(
    ctx: Context, session: Session, wanted: Wanted, sight: Sight, snapshot: PlannedSnapshot
) -> Iterator[PlannedStrategy]:
    def forecast(strategy: Strategy) -> Forecast:
        return history.forecast(session, _sort(ctx, wanted, sight, snapshot, strategy))

    window = ctx.instance.undo_window
    until = reversibility.kept_for(ctx.undo_window if window is None else window)
    return strategies.compare(ctx, wanted, forecast, until)


def _sort(ctx: Context, wanted: Wanted, sight: Sight, snapshot: PlannedSnapshot, strategy: Strategy) -> str:
    return history.sort_of(
        ctx.instance.version.manager,
        _crossing(ctx, sight),
        wanted.method,
        sight.data_bytes,
        copied=snapshot.taken and not snapshot.instant,
        rebuilt=bool(sight.facts.indexes_at_risk) and wanted.text_ordering == "rebuild",
        replaced=strategy == "replace",
    )
