"""What leads back from each step, where there is no way back any more, and what can be undone afterwards."""

from collections.abc import Iterator

from instar.control.engine.outcomes import Step
from instar.control.operations.context import Context
from instar.control.operations.planning.wanted import Wanted
from instar.wire.errors import Finding, Severity
from instar.wire.plans import SHARED_FILES, PlannedStep
from instar.wire.states import Stretch

CONVERTS = "post_upgrade"
"""The step in which data files cross to the new format; clients are let in after it."""
TAKES_SNAPSHOT = "snapshot"

_LEFT_ALONE = "nothing was changed: the database goes on serving"
_WITHDRAWN = "nothing was changed: the database goes on serving, and the new server is deleted"
_REINSTATED = "the old database is started again, on the old image"
_NOT_TOUCHED = "back onto the old image; the data were not touched"
_KEPT = "back onto the old image, with every write kept"
_SNAPSHOT = "the volume is put back to the snapshot, then back onto the old image"
_SNAPSHOT_LOSES = f"{_SNAPSHOT}; writes since clients were let in are lost, which has to be accepted"
_OLD_FILES = "back onto the old image; the old data files are still there"
_LATER = "clients are served: it ends, and can be undone afterwards"
_NONE = "none: only forward, by `instar operation resume`"


def point_of_no_return(
    wanted: Wanted, names: list[str], *, format_changes: bool, snapshot: bool
) -> str | None:
    """Name the step from which on nothing leads back: link and in place work on the old release's own files,
    and after a clone or a copy what clients write goes to the new ones.
    """
    if not format_changes or snapshot or CONVERTS not in names:
        return None
    return CONVERTS if wanted.method in SHARED_FILES else names[names.index(CONVERTS) + 1]


def steps(
    story: tuple[Step[Context], ...], point: str | None, *, format_changes: bool, snapshot: bool
) -> list[PlannedStep]:
    """Tell of every step that will be taken what leads back from it."""
    names = [step.name for step in story]
    converts = names.index(CONVERTS)
    beyond = names.index(point) if point else len(names)
    planned = []
    for place, step in enumerate(story):
        if step.name == TAKES_SNAPSHOT and not snapshot:
            continue
        way = _NONE if place >= beyond else _way(step, place - converts, format_changes, snapshot)
        planned.append(PlannedStep(name=step.name, stretch=step.stretch, way_back=way))
    return planned


def _way(step: Step[Context], place: int, format_changes: bool, snapshot: bool) -> str:
    if step.harmless:
        return _LEFT_ALONE
    if isinstance(step.way_back, str):
        return _REINSTATED if step.stretch == Stretch.SWITCH else _WITHDRAWN
    if step.way_back is None:
        return _LATER
    if place < 0:
        return _NOT_TOUCHED
    if not format_changes:
        return _KEPT
    if not snapshot:
        return _OLD_FILES
    return _SNAPSHOT if place == 0 else _SNAPSHOT_LOSES


def undo(window: float, *, format_changes: bool, snapshot: bool) -> str:
    """Say what can be undone after success, and until when."""
    if window <= 0:
        return "Nothing: the undo window is closed."
    if format_changes and not snapshot:
        return "Nothing: the data format changes, and there is no snapshot to go back to."
    until = f"For {_told(window)} after success"
    if not format_changes:
        return f"{until}, `instar rollback` goes back to the old image with every write kept."
    return (
        f"{until}, `instar rollback` goes back to the snapshot: what was written since is lost, "
        "which has to be accepted."
    )


def kept_for(window: float) -> str:
    """Say how long is kept what an undo needs."""
    return f"until {_told(window)} after success" if window > 0 else "until it is done"


def findings(wanted: Wanted, point: str | None, *, has_old_image: bool) -> Iterator[Finding]:
    """Find promises of a way back that can't be kept, and tell of the point of no return."""
    broken = wanted.on_failure == "rollback"
    remedy = "Use snapshot policy auto or always" + (", or method clone." if wanted.method == "link" else ".")
    if broken and not has_old_image:
        seen = "on_failure is rollback, and the image to go back to is not there"
        yield Finding(check="way_back", seen=seen, remedy="Put the image back, or use on_failure error.")
    if point is None:
        return
    seen = f"from step {point} on there is no way back"
    if broken:
        seen = f"on_failure is rollback, and {seen}"
    severity = Severity.BLOCK if broken and wanted.method in SHARED_FILES else Severity.WARN
    yield Finding(check="way_back", severity=severity, seen=seen, remedy=remedy)


def _told(seconds: float) -> str:
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:g} {unit}" if seconds % size == 0 else f"{seconds / size:.1f} {unit}"
    return f"{seconds:g} seconds"
