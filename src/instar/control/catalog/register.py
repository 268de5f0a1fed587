"""Makes images of the provider's store known as datastore versions."""

from sqlalchemy.orm import Session

from instar.control.catalog import versions
from instar.control.store import datastores
from instar.control.store.tables import DatastoreVersion
from instar.wire import rest
from instar.wire.agent import Manifest


def register_image(session: Session, ref: str, manifest: Manifest) -> DatastoreVersion | None:
    """Register the version that an image's manifest names, and its datastore; None when it is known already.

    Repeatable: a known version keeps its image, whatever else is in the store.
    """
    datastore = datastores.find_datastore(session, manifest.datastore)
    if datastore and any(version.name == manifest.version_name for version in datastore.versions):
        return None
    wanted = rest.CreateVersion(
        name=manifest.version_name,
        datastore_name=manifest.datastore,
        datastore_manager=manifest.manager,
        active=True,
        image=ref,
        version=manifest.engine_version,
        upgrade_from=manifest.upgrade_from or None,
    )
    return versions.create(session, wanted, newest=lambda tags: None)
