"""Configuration groups: made, changed, deleted.

Values are checked against the version's catalogue before anything is written. Each attached instance follows
a change in an operation of its own (`configure`); one that can't, now, refuses the whole change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from instar.control.catalog import managers, parameters, versions
from instar.control.catalog.dialects import key
from instar.control.operations import answers, configure
from instar.control.operations.desk import Caller, Desk, Submitted
from instar.control.store import configurations as store
from instar.control.store.tables import Configuration, DatastoreVersion, Operation
from instar.wire import rest
from instar.wire.errors import (
    BadRequest,
    Busy,
    Finding,
    NotFound,
    Severity,
    Unavailable,
    Unprocessable,
)
from instar.wire.ids import new_id
from instar.wire.secrets import HIDDEN, is_secret
from instar.wire.states import OperationState


def find(session: Session, caller: Caller, configuration_id: str, *, lock: bool = False) -> Configuration:
    """Find a group of the caller's project. Raises NotFound."""
    found = store.find(session, configuration_id, caller.project, lock=lock)
    if found is None:
        raise NotFound(f"Configuration group '{configuration_id[:64]}' cannot be found")
    return found


def checked(session: Session, version: DatastoreVersion, values: Mapping[str, Any]) -> dict[str, Any]:
    """Give the values as the catalogue spells them. Raises Unprocessable with every finding."""
    catalogue = parameters.read(session, version)
    told = parameters.check(catalogue, values, managers.find(version.manager).dialect)
    found = [one for one in [*told, *_masked(values)] if one.severity is Severity.BLOCK]
    if found:
        raise Unprocessable(
            f"configuration.values: {len(found)} of them can't be used with {version.name}",
            seen="; ".join(finding.seen for finding in found[:20]),
            remedy=found[0].remedy if len(found) == 1 else "",
            findings=found[:100],
        )
    return parameters.spelt(catalogue, values)


def _masked(values: Mapping[str, Any]) -> list[Finding]:
    """Find masks that were sent as if they were values: what an answer hides would be overwritten."""
    return [
        Finding(
            check=f"configuration.{name}",
            seen=f"{HIDDEN} stands in answers for the value of {name}, and the group has none",
            remedy="Send the value itself, or leave the parameter out.",
        )
        for name, value in values.items()
        if value == HIDDEN and is_secret(name)
    ]


def create(desk: Desk, caller: Caller, wanted: rest.NewConfiguration) -> str:
    """Make a group and give its id. Raises Unprocessable with every finding on its values."""
    with desk.store.begin() as session:
        version = versions.choose(session, wanted.datastore, "configuration.datastore")
        now = desk.store.now(session)
        group = Configuration(
            id=new_id(),
            project=caller.project,
            name=wanted.name,
            description=wanted.description,
            version=version,
            settings=checked(session, version, wanted.values),
            created=now,
            updated=now,
        )
        session.add(group)
    return group.id


def replace(
    desk: Desk, caller: Caller, configuration_id: str, change: rest.ConfigurationChange
) -> list[Submitted]:
    """Change a group and give the operations by which its instances follow: `values` take the place of all.

    Raises NotFound, Unprocessable for bad values, Busy naming what keeps an instance from following.
    """
    return _change(desk, caller, configuration_id, change).submitted


def edit(desk: Desk, caller: Caller, configuration_id: str, change: rest.ConfigurationChange) -> None:
    """Change a group, `values` being merged into it, and wait until its instances have followed.

    Raises as `replace`; beyond that Unprocessable when an instance did not take the values, and Unavailable
    when one has not ended yet. When no instance took them, the group is put back as it was.
    """
    changed = _change(desk, caller, configuration_id, change, merge=True)
    operations = answers.all_ended(desk, [one.operation_id for one in changed.submitted])
    failed = [one for one in operations if one.state == OperationState.FAILED]
    kept = bool(failed) and len(failed) == len(operations) and _put_back(desk, caller, changed)
    _tell(desk, operations, failed, "the group is as it was" if kept else "the group has the new values")


def delete(desk: Desk, caller: Caller, configuration_id: str) -> None:
    """Delete a group. Raises NotFound, and BadRequest while it is attached or about to be.

    An instance that had it before its last upgrade, and has none now, does without it when that is undone.
    """
    with desk.store.begin() as session:
        group = find(session, caller, configuration_id, lock=True)
        _refuse_in_use(session, group)
        store.delete(session, group)


def _refuse_in_use(session: Session, group: Configuration) -> None:
    names = [instance.name for instance in store.attached(session, group.id)]
    undos = store.undos_with(session, group)
    operation = store.operation_with(session, group.id) or store.operation_on(session, undos)
    following = [one.name for one in undos if one.configuration_id is not None]
    if names:
        why, remedy = f"attached to {', '.join(names[:5])}", "Detach it from its instances first."
    elif operation:
        why, remedy = f"operation {operation} needs it", "Wait for its end."
    elif following:
        why = f"{following[0]} would have it again if its last upgrade were undone"
        remedy = "Delete it when the undo window is closed, or detach what the instance has now."
    else:
        return
    raise BadRequest(f"Configuration group {group.name} is in use", seen=why, remedy=remedy)


@dataclass(frozen=True)
class _Changed:
    """What a change of a group did: the group before and after it, and the operations it began."""

    configuration_id: str
    before: dict[str, Any]
    after: dict[str, Any]
    submitted: list[Submitted]


def _change(
    desk: Desk,
    caller: Caller,
    configuration_id: str,
    change: rest.ConfigurationChange,
    *,
    merge: bool = False,
) -> _Changed:
    """Write the change and have every instance follow, in one transaction."""
    with desk.store.begin() as session:
        group = find(session, caller, configuration_id, lock=True)
        before = _described(group)
        sent = None if change.values is None else _unmasked(group.settings, change.values)
        values = _merged(group.settings, sent) if merge else sent
        settings = group.settings if values is None else checked(session, group.version, values)
        submitted = _followers(session, desk, caller, group, settings)
        _write(group, change, settings, desk.store.now(session))
        after = _described(group)
    desk.wake()
    return _Changed(configuration_id, before, after, submitted)


def _write(
    group: Configuration, change: rest.ConfigurationChange, settings: Mapping[str, Any], now: float
) -> None:
    if "name" in change.model_fields_set and change.name is None:
        raise BadRequest("Validation error: configuration.name: must not be null")
    if change.name is not None:
        group.name = change.name
    if "description" in change.model_fields_set:
        group.description = change.description
    group.settings = dict(settings)
    group.updated = now


def _described(group: Configuration) -> dict[str, Any]:
    return {"name": group.name, "description": group.description, "settings": group.settings}


def _followers(
    session: Session, desk: Desk, caller: Caller, group: Configuration, settings: Mapping[str, Any]
) -> list[Submitted]:
    """Begin an operation for each instance that has not got these values. Raises Busy."""
    operation = store.operation_with(session, group.id)
    if operation:
        raise Busy(
            f"Configuration group {group.name} can't be changed now: operation {operation} needs it",
            remedy=f"Wait for its end (`instar operation show {operation}`) and send the request again.",
            retryable=True,
        )
    behind = [one for one in store.attached(session, group.id) if (one.settings or {}) != settings]
    return [configure.enter(session, desk, caller, instance, group, settings) for instance in behind]


def _put_back(desk: Desk, caller: Caller, changed: _Changed) -> bool:
    """Undo a change that no instance took, unless somebody changed the group since."""
    with desk.store.begin() as session:
        group = find(session, caller, changed.configuration_id, lock=True)
        if _described(group) != changed.after:
            return False
        for field, value in changed.before.items():
            setattr(group, field, value)
    return True


def _tell(desk: Desk, operations: Sequence[Operation], failed: Sequence[Operation], group: str) -> None:
    """Raise what became of the instances that did not follow, if any."""
    late = [one for one in operations if one.state == OperationState.OPEN]
    if not failed and not late:
        return
    findings = [
        Finding(
            check=f"instance {one.instance.name}",
            seen=configure.cause(one),
            remedy=answers.error_of(one).body.remedy,
        )
        for one in failed
    ] + [
        Finding(
            check=f"instance {one.instance.name}",
            seen=f"operation {one.id} has not ended yet; it goes on",
            remedy=f"Follow it: instar operation show {one.id}",
        )
        for one in late
    ]
    kind = Unprocessable if failed else Unavailable
    raise kind(
        f"{len(failed) + len(late)} of {len(operations)} instances did not follow; {group}",
        seen="; ".join(f"{finding.check}: {finding.seen}" for finding in findings),
        remedy="An instance that did not follow keeps the values that it had. Mend the cause and send the "
        "request again.",
        retryable=not failed,
        findings=findings,
    )


def _merged(settings: Mapping[str, Any], change: Mapping[str, Any] | None) -> dict[str, Any]:
    """Put the change over the settings, however a name is spelt; a null takes a value out."""
    names = {key(name) for name in change or {}}
    kept = {name: value for name, value in settings.items() if key(name) not in names}
    return kept | {name: value for name, value in (change or {}).items() if value is not None}


def _unmasked(settings: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Put the group's own value in place of the mask that an answer showed for it."""
    known = {key(name): value for name, value in settings.items() if is_secret(name)}
    return {name: known.get(key(name), value) if value == HIDDEN else value for name, value in change.items()}
