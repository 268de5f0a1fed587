"""Datastore versions: found by id or name, registered, changed and deleted by their rules."""

import time
from collections.abc import Callable, Sequence

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from instar.control.catalog import catalogues, managers, numbers
from instar.control.store import configurations, datastores
from instar.control.store.tables import Datastore, DatastoreVersion
from instar.wire import rest
from instar.wire.agent import Manifest
from instar.wire.errors import BadRequest, NotFound
from instar.wire.ids import new_id

Newest = Callable[[Sequence[str]], str | None]
"""Finds the image that tags stand for."""


def find_datastore(session: Session, ref: str) -> Datastore:
    """Find a datastore by id or name. Raises NotFound."""
    datastore = datastores.find_datastore(session, ref)
    if datastore is None:
        raise NotFound(f"Datastore '{ref}' cannot be found")
    return datastore


def find(session: Session, datastore_ref: str, ref: str) -> DatastoreVersion:
    """Find a version of a datastore by id or name, the id first. Raises NotFound."""
    datastore = find_datastore(session, datastore_ref)
    named = [version for version in datastore.versions if ref in (version.id, version.name)]
    if not named:
        raise NotFound(f"Datastore version '{ref}' of {datastore.name} cannot be found")
    return min(named, key=lambda version: version.id != ref)


def by_id(session: Session, version_id: str) -> DatastoreVersion:
    """Find a version by its id alone. Raises NotFound."""
    version = datastores.find_version(session, version_id)
    if version is None:
        raise NotFound(f"Datastore version '{version_id}' cannot be found")
    return version


def image_of(version: DatastoreVersion, newest: Newest) -> str:
    """Give the image that instances of a version get now; of a version with tags, the newest that has them.

    It is kept with the version, for people and for what is read from it. Raises BadRequest without one.
    """
    if version.image_tags:
        version.image = newest(version.image_tags) or _refuse_tags(version)
    if not version.image:
        raise BadRequest(
            f"Datastore version {version.name} names no image",
            remedy="Register an image with it: `instar version set`.",
        )
    return version.image


def mismatch(version: DatastoreVersion, manifest: Manifest) -> str:
    """Say why an image is none of a version's, such as one of another release; nothing when it is."""
    if manifest.manager != version.manager:
        return f"the image is for {manifest.manager}, version {version.name} for {version.manager}"
    manager = managers.find(version.manager)
    if manager.format_numbers is None:
        return ""
    if manager.format_of(manifest.engine_version) == manager.format_of(version.number):
        return ""
    return f"the image holds {manifest.engine_version}, version {version.name} is of {version.number}"


def _refuse_tags(version: DatastoreVersion) -> str:
    raise BadRequest(
        f"No image has all the tags of datastore version {version.name}",
        seen=f"tags: {', '.join(version.image_tags)}",
        remedy="Publish one (`instar image publish --tag`), or register an image: `instar version set`.",
    )


def default(datastore: Datastore) -> DatastoreVersion | None:
    """Give what a new instance gets when no version is named: the chosen one, else the newest active one."""
    active = [version for version in datastore.versions if version.active]
    chosen = [version for version in active if version.id == datastore.default_version_id]
    return (
        chosen[0] if chosen else max(active, key=lambda version: numbers.parse(version.number), default=None)
    )


def choose(
    session: Session, wanted: rest.DatastoreRef | None, field: str = "instance.datastore"
) -> DatastoreVersion:
    """Resolve what a create request asks for in `field`.

    Raises NotFound for unknown names, BadRequest for the rest.
    """
    datastore = _chosen_datastore(session, wanted.type if wanted else None, field)
    if wanted and wanted.version:
        version: DatastoreVersion | None = find(session, datastore.id, wanted.version)
    else:
        version = default(datastore)
    if version is None:
        raise BadRequest(f"{field}.version: {datastore.name} has no active version")
    if not version.active:
        raise BadRequest(f"{field}.version: {version.name} of {datastore.name} is not active")
    if wanted and wanted.version_number and wanted.version_number != version.number:
        raise BadRequest(
            f"{field}.version_number: {version.name} has the number {version.number}",
            seen=wanted.version_number,
        )
    return version


def _chosen_datastore(session: Session, ref: str | None, field: str) -> Datastore:
    if ref:
        return find_datastore(session, ref)
    known = datastores.all_datastores(session)
    if len(known) != 1:
        names = ", ".join(datastore.name for datastore in known) or "none"
        raise BadRequest(f"{field}.type: must be given", remedy=f"Registered datastores: {names}")
    return known[0]


def create(session: Session, wanted: rest.CreateVersion, newest: Newest) -> DatastoreVersion:
    """Register a version, and its datastore when the name is new. Raises BadRequest."""
    if bool(wanted.image) == bool(wanted.image_tags):
        raise BadRequest("version.image: an image or image tags must be given, and not both")
    number = wanted.version or wanted.name
    _check_number(number)
    _check_ranges(wanted.upgrade_from)
    datastore = datastores.find_datastore(session, wanted.datastore_name) or _new_datastore(
        session, wanted.datastore_name
    )
    version = DatastoreVersion(
        id=new_id(),
        datastore=datastore,
        number=number,
        manager=wanted.datastore_manager,
        packages=wanted.packages or [],
        created=time.time(),
        **wanted.model_dump(
            include={"name", "image", "image_tags", "active", "registry_ext", "repl_strategy", "upgrade_from"}
        ),
    )
    image_of(version, newest)
    session.add(version)
    _flush(session, version)
    if wanted.default:
        datastore.default_version_id = version.id
    return version


def update(session: Session, version_id: str, change: rest.UpdateVersion, newest: Newest) -> None:
    """Change what the request names. Raises NotFound, BadRequest."""
    version = by_id(session, version_id)
    sent = change.model_dump(exclude_unset=True)
    _check_ranges(change.upgrade_from)
    _refuse_nulls(sent)
    _choose_one(sent)
    chosen = sent.pop("default", None)
    if chosen is not None:
        _set_default(version, chosen=chosen)
    if "datastore_manager" in sent:
        sent["manager"] = sent.pop("datastore_manager")
    for field, value in sent.items():
        setattr(version, field, value)
    if sent.get("image_tags"):
        image_of(version, newest)
    _flush(session, version)


def delete(session: Session, version_id: str) -> None:
    """Forget a version that nothing names. Raises NotFound, and BadRequest while something does."""
    version = by_id(session, version_id)
    operation = datastores.operation_towards(session, version.id)
    instances = datastores.instances_of(session, version.id)
    groups = configurations.count_of_version(session, version.id)
    if instances or operation or groups:
        raise BadRequest(
            f"Datastore version {version.name} is in use",
            seen=f"operation {operation} leads to it"
            if operation
            else f"{instances} instances, deleted ones included, and {groups} configuration groups",
            remedy="Set `active` to false, so that no instance can be created with it or upgraded to it",
        )
    if undone := datastores.undo_towards(session, version.id):
        raise BadRequest(
            f"Datastore version {version.name} is in use",
            seen=f"the last upgrade of instance {undone} can be undone, which leads back to it",
            remedy="Set `active` to false; delete the version when the instance's undo window is closed",
        )
    _set_default(version, chosen=False)
    catalogues.forget(session, version.id)
    session.delete(version)
    session.flush()


def delete_datastore(session: Session, ref: str) -> None:
    """Forget a datastore without versions. Raises NotFound, and BadRequest while it has some."""
    datastore = find_datastore(session, ref)
    if datastore.versions:
        names = ", ".join(version.name for version in datastore.versions)
        raise BadRequest(
            f"Datastore {datastore.name} still has versions", seen=names, remedy="Delete them first"
        )
    session.delete(datastore)
    session.flush()


def _new_datastore(session: Session, name: str) -> Datastore:
    datastore = Datastore(id=new_id(), name=name, created=time.time())
    session.add(datastore)
    return datastore


def _set_default(version: DatastoreVersion, *, chosen: bool) -> None:
    if chosen:
        version.datastore.default_version_id = version.id
    elif version.datastore.default_version_id == version.id:
        version.datastore.default_version_id = None


def _check_number(number: str) -> None:
    try:
        numbers.parse(number)
    except ValueError as error:
        raise BadRequest(f"version.version: {error}") from None


def _check_ranges(spans: list[str] | None) -> None:
    for span in spans or []:
        try:
            numbers.lies_in((0,), span)
        except ValueError as error:
            raise BadRequest(f"version.upgrade_from: {error}") from None


def _refuse_nulls(sent: dict[str, object]) -> None:
    for field in ("name", "datastore_manager", "image_tags", "packages", "active", "default"):
        if field in sent and sent[field] is None:
            raise BadRequest(f"{field}: must not be null")


def _choose_one(sent: dict[str, object]) -> None:
    """Have an image that is sent replace the tags, and tags the image that was registered."""
    if sent.get("image") and sent.get("image_tags"):
        raise BadRequest("image: an image or image tags can be given, and not both")
    if sent.get("image"):
        sent["image_tags"] = []


def _flush(session: Session, version: DatastoreVersion) -> None:
    name = version.name
    try:
        session.flush()
    except IntegrityError:
        raise BadRequest(f"version.name: a version called {name} exists already") from None
