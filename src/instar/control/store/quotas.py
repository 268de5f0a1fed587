"""Queries on quotas, and on what counts against them."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from instar.control.store.tables import Instance, Operation, Quota
from instar.wire.states import OperationState

_LOCK = "lock"
"""The row that whoever counts holds, so that two requests at once do not both find room for one."""


def limits(session: Session, project: str) -> dict[str, int]:
    """Give the limits that were set for a project, by resource."""
    rows = session.execute(select(Quota).where(Quota.project == project)).scalars()
    return {row.resource: row.most for row in rows if row.most is not None}


def put(session: Session, project: str, wanted: Mapping[str, int]) -> None:
    """Set limits for a project."""
    for resource, most in wanted.items():
        session.merge(Quota(project=project, resource=resource, most=most))


def lock(session: Session, project: str) -> None:
    """Keep other requests of the project from counting until the transaction ends."""
    if session.get(Quota, (project, _LOCK)) is None:
        try:
            with session.begin_nested():
                session.add(Quota(project=project, resource=_LOCK))
        except IntegrityError:
            pass  # another request made it at the same moment
    session.get_one(Quota, (project, _LOCK), with_for_update=True, populate_existing=True)


def sizes(session: Session, project: str) -> list[tuple[str, int, int]]:
    """Count a project's living instances by flavor, with how many GiB their volumes have."""
    query = select(Instance.flavor_id, func.count(), func.sum(Instance.volume_size))
    living = query.where(Instance.project == project, Instance.deleted.is_(False))
    rows = session.execute(living.group_by(Instance.flavor_id)).all()
    return [(flavor, int(count), int(volumes)) for flavor, count, volumes in rows]


def under_way(session: Session, project: str, kind: str) -> list[tuple[Mapping[str, Any], Instance]]:
    """Give the inputs of a project's open operations of a kind, each with its instance as it is."""
    query = select(Operation.inputs, Instance).join(Instance, Operation.instance_id == Instance.id)
    its_own = (Operation.project == project, Operation.kind == kind, Operation.state == OperationState.OPEN)
    return [(inputs, instance) for inputs, instance in session.execute(query.where(*its_own)).all()]
