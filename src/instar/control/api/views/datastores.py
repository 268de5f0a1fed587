"""Datastores and their versions in answers."""

from instar.control.api.views.viewer import Viewer, present
from instar.control.catalog import versions
from instar.control.store.tables import Datastore, DatastoreVersion
from instar.wire import rest


def datastore(viewer: Viewer, record: Datastore) -> rest.Datastore:
    """Show a datastore with those of its versions that the viewer may use."""
    chosen = versions.default(record)
    return rest.Datastore(
        **present(
            id=record.id,
            name=record.name,
            links=viewer.links("datastores", record.id),
            versions=[version(viewer, each) for each in usable(viewer, record)],
            default_version=chosen.id if chosen else None,
        )
    )


def usable(viewer: Viewer, record: Datastore) -> list[DatastoreVersion]:
    """Give a datastore's versions by name; inactive ones are for operators only."""
    seen = [version for version in record.versions if version.active or viewer.is_admin]
    return sorted(seen, key=lambda version: version.name)


def version(viewer: Viewer, record: DatastoreVersion) -> rest.DatastoreVersion:
    """Show a version; which image it has is for operators only."""
    fields = present(
        id=record.id,
        name=record.name,
        version=record.number,
        datastore=record.datastore_id,
        links=viewer.links("datastores/versions", record.id),
        upgrade_from=record.upgrade_from,
    )
    if viewer.is_admin:
        fields |= {
            "active": record.active,
            "packages": record.packages,
            "image": record.image,
            "image_tags": record.image_tags,
            "registry_ext": record.registry_ext,
            "repl_strategy": record.repl_strategy,
        }
    return rest.DatastoreVersion(**fields)


def managed(record: DatastoreVersion) -> rest.MgmtVersion:
    """Show a version to operators."""
    return rest.MgmtVersion(
        id=record.id,
        name=record.name,
        version=record.number,
        datastore_id=record.datastore_id,
        datastore_name=record.datastore.name,
        datastore_manager=record.manager,
        image=record.image,
        image_tags=record.image_tags,
        packages=record.packages,
        active=record.active,
        default=record.datastore.default_version_id == record.id,
        registry_ext=record.registry_ext,
        repl_strategy=record.repl_strategy,
        upgrade_from=record.upgrade_from or [],
    )
