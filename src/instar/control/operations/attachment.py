"""Attaching a configuration group to an instance, and taking it off again."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from instar.control.engine.submit import refuse_if_busy
from instar.control.operations import answers, configure, groups, lookup
from instar.control.operations.desk import Caller, Desk, Submitted
from instar.control.store.tables import Configuration, DatastoreVersion, Instance
from instar.wire.errors import BadRequest, Busy, Unavailable, Unprocessable
from instar.wire.states import OperationState


def for_new_instance(
    session: Session, caller: Caller, configuration_id: str, version: DatastoreVersion
) -> Configuration:
    """Find the group that a create request names.

    Raises NotFound, BadRequest for one of another version, Unprocessable for values that it refuses now.
    """
    group = groups.find(session, caller, configuration_id, lock=True)
    _refuse_other_version(group, version)
    groups.checked(session, version, group.settings)
    return group


def attach(desk: Desk, caller: Caller, instance_id: str, configuration_id: str) -> Submitted:
    """Put a group in force on an instance, waiting as long as the desk does.

    Raises NotFound; BadRequest when a group is attached already, is for another version, or the instance is
    not at rest; Unprocessable when the instance did not take the values: it keeps those that it had.
    """
    with desk.store.begin() as session:
        instance = lookup.instance(session, caller, instance_id)
        group = groups.find(session, caller, configuration_id, lock=True)
        if instance.configuration_id is not None:
            raise BadRequest(
                f"Instance {instance.id} has a configuration group attached already",
                seen=instance.configuration_id,
                remedy="Detach it first.",
            )
        _refuse_other_version(group, instance.version)
        groups.checked(session, group.version, group.settings)
        submitted = _enter(session, desk, caller, instance, group, group.settings)
    return _settled(desk, submitted)


def detach(desk: Desk, caller: Caller, instance_id: str) -> Submitted | None:
    """Take a group's values out of force, waiting as long as the desk does; None when there is no group.

    Raises NotFound, BadRequest when the instance is not at rest, Unprocessable when it did not obey.
    """
    with desk.store.begin() as session:
        instance = lookup.instance(session, caller, instance_id)
        if instance.configuration_id is None:
            return None
        submitted = _enter(session, desk, caller, instance, None, {})
    return _settled(desk, submitted)


def _settled(desk: Desk, submitted: Submitted) -> Submitted:
    """Wake a worker and wait; an operation that has not ended in time goes on."""
    desk.wake()
    for operation in answers.all_ended(desk, [submitted.operation_id]):
        if operation.state == OperationState.FAILED:
            error = answers.error_of(operation)
            kind = Unavailable if error.status == Unavailable.status else Unprocessable
            raise kind(
                "The values could not be put in force; the instance keeps those that it had",
                seen=configure.cause(operation),
                remedy=error.body.remedy or "Mend the cause and send the request again.",
                retryable=error.body.retryable,
            )
    return submitted


def _enter(
    session: Session,
    desk: Desk,
    caller: Caller,
    instance: Instance,
    group: Configuration | None,
    values: Mapping[str, Any],
) -> Submitted:
    """Begin the operation. An instance that is not at rest makes the request a bad one, as in Trove."""
    try:
        refuse_if_busy(session, instance.id)
        lookup.refuse_unless_active(instance)
    except Busy as error:
        body = error.body
        raise BadRequest(body.brief, seen=body.seen, remedy=body.remedy, retryable=body.retryable) from None
    return configure.enter(session, desk, caller, instance, group, values)


def _refuse_other_version(group: Configuration, version: DatastoreVersion) -> None:
    if group.version_id != version.id:
        raise BadRequest(
            f"Configuration group {group.name} is for another datastore version",
            seen=f"the group is for {group.version.name}, the instance has {version.name}",
            remedy=f"Make a group for {version.name}.",
        )
