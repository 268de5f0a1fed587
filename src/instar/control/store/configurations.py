"""Queries on configuration groups, the instances they are attached to, and a group's twin for a version."""

from collections.abc import Iterable

from sqlalchemy import Select, and_, func, or_, select, update
from sqlalchemy.orm import Session, joinedload

from instar.control.store.tables import Configuration, DatastoreVersion, Instance, Json, Operation
from instar.wire.ids import new_id
from instar.wire.states import OperationState


def find(
    session: Session, configuration_id: str, project: str, *, lock: bool = False
) -> Configuration | None:
    """Find a group of a project by its id; with `lock`, nobody else changes or attaches it meanwhile."""
    query = _groups(project).where(Configuration.id == configuration_id)
    if lock:
        query = query.with_for_update(of=Configuration)
    return session.execute(query).scalar_one_or_none()


def page(session: Session, project: str, limit: int, after: Configuration | None) -> list[Configuration]:
    """List up to `limit` groups of a project, newest first, beginning behind `after`."""
    query = _groups(project)
    if after is not None:
        same = and_(Configuration.created == after.created, Configuration.id < after.id)
        query = query.where(or_(Configuration.created < after.created, same))
    query = query.order_by(Configuration.created.desc(), Configuration.id.desc()).limit(limit)
    return list(session.execute(query).scalars())


def attached(session: Session, configuration_id: str) -> list[Instance]:
    """List the instances that a group is attached to, by id."""
    query = select(Instance).where(Instance.configuration_id == configuration_id, Instance.deleted.is_(False))
    return list(session.execute(query.order_by(Instance.id)).scalars())


def count_attached(session: Session, configuration_id: str) -> int:
    """Count the instances that a group is attached to."""
    query = select(func.count()).select_from(Instance)
    query = query.where(Instance.configuration_id == configuration_id, Instance.deleted.is_(False))
    return session.execute(query).scalar_one()


def count_of_version(session: Session, version_id: str) -> int:
    """Count the groups for a datastore version."""
    query = select(func.count()).select_from(Configuration).where(Configuration.version_id == version_id)
    return session.execute(query).scalar_one()


def operation_with(session: Session, configuration_id: str) -> str | None:
    """Give the id of an open operation whose frozen inputs name the group."""
    query = select(Operation.id, Operation.inputs).where(Operation.state == OperationState.OPEN)
    found = (id_ for id_, inputs in session.execute(query) if configuration_id in inputs.values())
    return next(found, None)


def operation_on(session: Session, instances: Iterable[Instance]) -> str | None:
    """Give the id of an open operation on one of the instances."""
    ids = [instance.id for instance in instances]
    return session.execute(select(Operation.id).where(Operation.slot.in_(ids)).limit(1)).scalar()


def undos_with(session: Session, group: Configuration) -> list[Instance]:
    """Lock the instances whose last upgrade can still be undone, and that would have the group again then."""
    query = select(Instance).where(
        Instance.project == group.project, Instance.deleted.is_(False), Instance.undo_until.is_not(None)
    )
    found = session.execute(query.order_by(Instance.id).with_for_update(of=Instance)).scalars()
    return [one for one in found if one.undo and one.undo.get("configuration_id") == group.id]


def delete(session: Session, configuration: Configuration) -> None:
    """Forget a group; rows of deleted instances name it no longer, and no undoing brings its values back."""
    for instance in undos_with(session, configuration):
        instance.undo = {**(instance.undo or {}), "configuration_id": None, "settings": {}}
    rows = update(Instance).where(Instance.configuration_id == configuration.id)
    session.execute(rows.values(configuration_id=None))
    session.delete(configuration)
    session.flush()


def for_version(
    session: Session, group: Configuration, target: DatastoreVersion, values: Json, now: float
) -> Configuration:
    """Find or make the group that an instance has in `target` in place of `group`, with `values`.

    It belongs to the same project and is called as `group` is, the version's name behind it: "web (18.6)".
    Repeatable: the same values give the same group; a twin whose values were changed since is left alone.
    """
    if target.id == group.version_id and values == group.settings:
        return group
    name = _name_for(group, target)
    query = _groups(group.project).where(Configuration.version_id == target.id, Configuration.name == name)
    twins = [twin for twin in session.execute(query).scalars() if twin.settings == values]
    if twins:
        return min(twins, key=lambda twin: (twin.created, twin.id))
    made = Configuration(
        id=new_id(),
        project=group.project,
        name=name,
        description=group.description,
        version_id=target.id,
        settings=dict(values),
        created=now,
        updated=now,
    )
    session.add(made)
    session.flush()
    return made


def _name_for(group: Configuration, target: DatastoreVersion) -> str:
    """The name of the version that the group itself was made for makes room for the target's."""
    base = group.name.removesuffix(f" ({group.version.name})")
    suffix = f" ({target.name})"
    return base[: 255 - len(suffix)] + suffix[-255:]


def _groups(project: str) -> Select[Configuration]:
    version = joinedload(Configuration.version, innerjoin=True)
    datastore = version.joinedload(DatastoreVersion.datastore, innerjoin=True)
    return select(Configuration).where(Configuration.project == project).options(datastore)
