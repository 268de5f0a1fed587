"""Datastore versions, as operators register, change and delete them."""

from collections.abc import Sequence

from instar.control.api import paging
from instar.control.api.call import Call
from instar.control.api.views import datastores as views
from instar.control.catalog import versions
from instar.control.store import datastores
from instar.wire import rest


def index(call: Call) -> rest.MgmtVersionsAnswer:
    """List the versions of all datastores."""
    with call.desk.store.read() as session:
        records = datastores.page_of_versions(session, call.query.size + 1, call.query.marker)
        shown, links = paging.cut(call, "mgmt/datastore-versions", records, lambda record: record.id)
        answer = rest.MgmtVersionsAnswer(versions=[views.managed(record) for record in shown])
    return paging.linked(answer, links)


def show(call: Call) -> rest.MgmtVersionAnswer:
    """Show a version."""
    with call.desk.store.read() as session:
        return rest.MgmtVersionAnswer(version=views.managed(versions.by_id(session, call.path["version_id"])))


def create(call: Call, body: rest.CreateVersionRequest) -> None:
    """Register a version, and its datastore when the name is new; the answer is empty, as clients expect."""
    image = _newest(call, body.version.image_tags)
    with call.desk.store.begin() as session:
        versions.create(session, body.version, lambda tags: image)


def update(call: Call, body: rest.UpdateVersion) -> None:
    """Change a version: what the body names, which has no envelope."""
    image = _newest(call, body.image_tags)
    with call.desk.store.begin() as session:
        versions.update(session, call.path["version_id"], body, lambda tags: image)


def _newest(call: Call, tags: Sequence[str] | None) -> str | None:
    """Ask what tags stand for, before a transaction begins: a cloud may take its time."""
    return call.desk.newest_image(tags) if tags else None


def delete(call: Call) -> None:
    """Forget a version that no instance was made with."""
    with call.desk.store.begin() as session:
        versions.delete(session, call.path["version_id"])
