"""Each version's catalogue of parameters: read from its image, edited by administrators.

A row that an administrator edited is kept, whatever later images tell; an edited row with an empty body is a
parameter that was taken out.
"""

from collections.abc import Callable, Iterable

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from instar.control.store.session import Store
from instar.control.store.tables import DatastoreVersion, ParameterRow
from instar.wire.agent import Parameter
from instar.wire.errors import BadRequest, NotFound


def missing(session: Session) -> list[DatastoreVersion]:
    """List the versions whose catalogue was not read yet, or from another image than they have now."""
    read_from = DatastoreVersion.parameters_from
    query = select(DatastoreVersion).where(
        DatastoreVersion.image.is_not(None), or_(read_from.is_(None), read_from != DatastoreVersion.image)
    )
    return list(session.execute(query).scalars())


def refresh(store: Store, version_id: str, image: str, tell: Callable[[str], Iterable[Parameter]]) -> bool:
    """Have an image tell its parameters and keep them; tells whether there are any.

    Repeatable, by several workers at once. Of an image that tells none, nothing is kept: it is asked again.
    """
    told = {parameter.name: parameter for parameter in tell(image)}
    with store.begin() as session:
        version = session.get(DatastoreVersion, version_id, with_for_update=True)
        if version is None or version.image != image or version.parameters_from == image:
            return False
        if told or version.parameters_from is not None:
            _replace(session, version, told)
        version.parameters_from = image if told else None
    return bool(told)


def _replace(session: Session, version: DatastoreVersion, told: dict[str, Parameter]) -> None:
    rows = ParameterRow.version_id == version.id
    session.execute(delete(ParameterRow).where(rows, ParameterRow.edited.is_(False)))
    kept = set(session.execute(select(ParameterRow.name).where(rows)).scalars())
    session.add_all(_row(version.id, told[name], edited=False) for name in sorted(told.keys() - kept))


def find(session: Session, version_id: str, name: str) -> Parameter:
    """Find one parameter of a version. Raises NotFound."""
    row = session.get(ParameterRow, (version_id, name))
    if row is None or not row.body:
        raise NotFound(f"Parameter '{name[:128]}' cannot be found", remedy="See `instar parameter list`.")
    return Parameter.model_validate(row.body)


def create(session: Session, version_id: str, parameter: Parameter) -> None:
    """Add a parameter to a version's catalogue. Raises BadRequest when it is there."""
    row = session.get(ParameterRow, (version_id, parameter.name))
    if row is not None and row.body:
        raise BadRequest(f"configuration-parameter.name: {parameter.name} is there already")
    session.merge(_row(version_id, parameter, edited=True))


def update(session: Session, version_id: str, parameter: Parameter) -> None:
    """Change a parameter of a version's catalogue. Raises NotFound."""
    find(session, version_id, parameter.name)
    session.merge(_row(version_id, parameter, edited=True))


def remove(session: Session, version_id: str, name: str) -> None:
    """Take a parameter out of a version's catalogue: no group may set it from now on. Raises NotFound."""
    find(session, version_id, name)
    session.merge(ParameterRow(version_id=version_id, name=name, body={}, edited=True))


def forget(session: Session, version_id: str) -> None:
    """Forget a version's whole catalogue, with the version."""
    session.execute(delete(ParameterRow).where(ParameterRow.version_id == version_id))


def _row(version_id: str, parameter: Parameter, *, edited: bool) -> ParameterRow:
    body = parameter.model_dump(mode="json", exclude_none=True)
    return ParameterRow(version_id=version_id, name=parameter.name, body=body, edited=edited)
