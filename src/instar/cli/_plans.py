"""How a plan looks on a terminal."""

import argparse
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from instar.cli._command import Columns, ShowOne

if TYPE_CHECKING:
    from instar.wire.plans import Forecast, Plan

BLOCKED = 3
"""Exit status of a plan that something blocks."""
_SHOWN = 10


class ShowPlan(ShowOne):
    """A command that shows a plan: a report for people, its fields in every other format."""

    def told(self, plan: "Plan", instance: str) -> Columns:
        """Keep the plan for the report, and give its fields."""
        self._plan, self._instance = plan, instance
        fields: dict[str, Any] = plan.model_dump(mode="json")
        return list(fields), list(fields.values())

    def produce_output(self, parsed_args: argparse.Namespace, column_names: Any, data: Any) -> int:
        """Print the report where no other format was asked for."""
        if parsed_args.formatter != self.formatter_default:
            return int(super().produce_output(parsed_args, column_names, data) or 0)
        print("\n".join(report(self._plan, self._instance)), file=self.app.stdout)
        return 0

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Run the command; gives the exit status."""
        return int(super().run(parsed_args) or (0 if self._plan.allowed else BLOCKED))


def report(plan: "Plan", instance: str) -> Iterator[str]:
    """Give the lines of the report."""
    yield f"Upgrade of {instance} from {plan.version_before} to {plan.version_after}"
    yield from _verdict(plan)
    yield from _section("Findings", _findings(plan))
    yield from _section("Configuration", _configuration(plan))
    yield from _section("Text ordering", _ordering(plan))
    yield from _section("Probes", (f"{each.name}: {_passed(each.passed, each.seen)}" for each in plan.probes))
    yield from _section("Snapshot", [_snapshot(plan)])
    yield from _section("Ways back", _ways_back(plan))
    yield from _section("Downtime", [_forecast(plan.forecast)])
    yield from _section("Strategies", _strategies(plan))
    yield ""
    yield f"Plan {plan.hash}"
    if plan.allowed:
        yield f"Run it: instar upgrade {instance} {plan.version_after} --plan {plan.hash} --wait"


def _verdict(plan: "Plan") -> Iterator[str]:
    blocking = len(plan.blocking())
    if blocking:
        yield f"NOT ALLOWED: {blocking} finding{'s' if blocking > 1 else ''} in the way. Nothing was changed."
    else:
        yield "Allowed. Nothing was changed."
    crossing = f"the data format changes, method {plan.method}" if plan.format_changes else "the data stay"
    yield f"Image {plan.image_before} -> {plan.image_after}; {crossing}; on failure: {plan.on_failure}."


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    lines = list(lines)
    if lines:
        yield ""
        yield title
        yield from (f"  {line}" for line in lines)


def _findings(plan: "Plan") -> Iterator[str]:
    for finding in plan.findings:
        yield f"{finding.severity.value:<5} {finding.check}: {finding.seen}"
        if finding.remedy:
            yield f"      {finding.remedy}"


def _configuration(plan: "Plan") -> Iterator[str]:
    for line in plan.configuration:
        if line.change == "default changed":
            yield f"{line.name}: the default {line.value!r} becomes {line.target_value!r}"
        elif line.change == "renamed":
            yield f"{line.name} = {line.value}: renamed to {line.target_name}"
        else:
            yield f"{line.name} = {line.value}: {line.change}" + (f" ({line.note})" if line.note else "")


def _ordering(plan: "Plan") -> Iterator[str]:
    told = plan.text_ordering
    for library, before, after in (
        ("glibc", told.glibc_before, told.glibc_after),
        ("ICU", told.icu_before, told.icu_after),
    ):
        if before or after:
            yield f"{library} {before or '?'} -> {after or '?'}" + ("" if before != after else " (the same)")
    for index in told.indexes[:_SHOWN]:
        yield f"{index.database}: {index.index} on {index.table}, {_size(index.bytes)}, {index.provider}"
    if len(told.indexes) > _SHOWN:
        yield f"and {len(told.indexes) - _SHOWN} more"
    if told.rebuild_seconds is not None:
        many = f"{told.rebuilds} earlier rebuild{'s' if told.rebuilds > 1 else ''}"
        basis = f"by {many}" if told.rebuilds else "assumed, there is no history"
        yield f"to rebuild them takes about {told.rebuild_seconds:g} s ({basis})"
    elif told.indexes:
        yield f"they are not rebuilt (policy {told.policy})"


def _passed(passed: bool, seen: str) -> str:
    return "passed" if passed else f"FAILED, the answer was {seen!r}"


def _snapshot(plan: "Plan") -> str:
    snapshot = plan.snapshot
    if not snapshot.taken:
        return f"none: {snapshot.reason} (policy {snapshot.policy})"
    if snapshot.instant:
        return f"taken, at once: {snapshot.reason} (policy {snapshot.policy})"
    size = "an unknown size" if snapshot.bytes is None else _size(snapshot.bytes)
    seconds = "no history of how long" if snapshot.seconds is None else f"about {snapshot.seconds:g} s"
    return f"a copy of {size} while clients are out, {seconds}: {snapshot.reason} (policy {snapshot.policy})"


def _ways_back(plan: "Plan") -> Iterator[str]:
    for step in plan.steps:
        mark = "  <- point of no return" if step.name == plan.point_of_no_return else ""
        yield f"{step.name:<13} {step.way_back}{mark}"
    yield plan.undo


def _strategies(plan: "Plan") -> Iterator[str]:
    for each in plan.strategies:
        mark = " (this plan's)" if each.chosen else ""
        if each.possible:
            yield f"{each.name}{mark}: {_forecast(each.forecast)}; takes {each.resources}"
        else:
            yield f"{each.name}: not possible, {each.reason}"


def _forecast(told: "Forecast") -> str:
    if not told.upgrades:
        return f"no history of upgrades of this sort ({told.sort})"
    many = "1 upgrade" if told.upgrades == 1 else f"{told.upgrades} upgrades"
    return f"p50 {told.p50:g} s, p95 {told.p95:g} s, from {many} of this sort ({told.sort})"


def _size(size: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
