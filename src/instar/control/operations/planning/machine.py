"""What stands against an upgrade on the side of the provider: image, volume, flavor."""

from collections.abc import Iterator

from instar.control.catalog import versions
from instar.control.operations.context import Context
from instar.control.operations.planning.sight import Sight, may_pass
from instar.control.operations.planning.wanted import Wanted
from instar.control.store.tables import DatastoreVersion
from instar.wire.errors import Finding, InstarError


def findings(ctx: Context, wanted: Wanted, sight: Sight) -> Iterator[Finding]:
    """Gather them."""
    yield from _image(ctx, wanted, sight)
    yield from _room(wanted, sight)
    yield from _flavor(ctx)


def _image(ctx: Context, wanted: Wanted, sight: Sight) -> Iterator[Finding]:
    with ctx.store.read() as session:
        version = session.get(DatastoreVersion, wanted.version_id)
        seen = versions.mismatch(version, sight.image_after) if version and sight.image_after else ""
    if seen:
        remedy = "Register the right image, or the right tags, with the datastore version."
        yield Finding(check="image", seen=seen, remedy=remedy)


def _room(wanted: Wanted, sight: Sight) -> Iterator[Finding]:
    volume = sight.volume
    if volume is None:
        if not any(finding.check == "volume" for finding in sight.findings):
            yield Finding(check="volume", seen="the data volume is missing", remedy="Look at the provider.")
        return
    if wanted.method != "copy" or volume.used is None or volume.free is None or volume.free > volume.used:
        return
    seen = f"a copy needs {volume.used} bytes and {volume.free} are free"
    yield Finding(check="volume", seen=seen, remedy="Use method link, or make room.")


def _flavor(ctx: Context) -> Iterator[Finding]:
    try:
        ctx.flavor()
    except InstarError as error:
        if may_pass(ctx, error):
            raise
        yield Finding(
            check="flavor", seen=error.body.brief, remedy="Put it back into the catalogue of flavors."
        )
