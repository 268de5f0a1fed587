"""What an upgrade checks before it touches anything, and what it holds against each other afterwards."""

from instar.control.operations import guest_steps
from instar.control.operations.context import Context
from instar.wire.agent import Manifest, ReadBack
from instar.wire.errors import Finding, InstarError, Severity
from instar.wire.states import ServerState, ServiceStatus


def machine(ctx: Context, manifest: Manifest) -> list[Finding]:
    """Check image, server, volume, flavor and database, as the control plane sees them."""
    return [
        *_image(ctx, manifest),
        *_text_ordering(ctx, manifest),
        *_room(ctx),
        *_flavor(ctx),
        *_running(ctx),
    ]


def _image(ctx: Context, manifest: Manifest) -> list[Finding]:
    manager = ctx.instance.version.manager
    if manifest.manager == manager:
        return []
    seen = f"the image is for {manifest.manager}, the instance for {manager}"
    return [Finding(check="image", seen=seen, remedy="Register the right image with the datastore version.")]


def _text_ordering(ctx: Context, manifest: Manifest) -> list[Finding]:
    """Warn when the new image may sort text differently: indexes over text depend on it."""
    try:
        present = ctx.provider.image(ctx.inputs["image_before"] or "").manifest
    except InstarError:
        return []
    return [
        Finding(
            check="text ordering",
            severity=Severity.WARN,
            seen=f"{library} changes from {old} to {new}",
            remedy="Rebuild indexes over text that are not of collation C, once the upgrade is done.",
        )
        for library, old, new in (
            ("glibc", present.glibc, manifest.glibc),
            ("ICU", present.icu, manifest.icu),
        )
        if old and new and old != new
    ]


def _room(ctx: Context) -> list[Finding]:
    volume = ctx.provider.inspect_volume(ctx.volume)
    if volume is None:
        return [Finding(check="volume", seen="the data volume is missing", remedy="Look at the provider.")]
    if ctx.inputs["method"] != "copy" or volume.used is None or volume.free is None:
        return []
    if volume.free > volume.used:
        return []
    seen = f"a copy needs {volume.used} bytes and {volume.free} are free"
    return [Finding(check="volume", seen=seen, remedy="Use method link, or make room.")]


def _flavor(ctx: Context) -> list[Finding]:
    try:
        ctx.flavor()
    except InstarError as error:
        return [Finding(check="flavor", seen=error.body.brief, remedy=error.body.remedy)]
    return []


def _running(ctx: Context) -> list[Finding]:
    server = ctx.provider.inspect_server(ctx.server)
    if server.state != ServerState.ACTIVE:
        seen = f"the server is {server.state}: {server.reason}"
        return [Finding(check="server", seen=seen, remedy="Wait until it runs again.")]
    status = ctx.guest.status()
    if status.status != ServiceStatus.HEALTHY:
        seen = f"the database is {status.status or 'unknown'}: {status.reason}"
        return [Finding(check="database", seen=seen, remedy="Bring it back (`instar restart`) first.")]
    return []


def extensions(before: ReadBack, manifest: Manifest) -> list[Finding]:
    """Find extensions that are installed and that the new image does not have, where it says what it has."""
    if not manifest.extensions:
        return []
    return [
        Finding(
            check="extension",
            seen=f"{installed} is installed and image {manifest.recipe} does not have it",
            remedy="Drop the extension, or use an image that has it.",
        )
        for installed in sorted(before.extensions)
        if installed.rpartition("/")[2] not in manifest.extensions
    ]


def lost(before: ReadBack, after: ReadBack) -> list[Finding]:
    """Find databases, users and extensions that were there before and are missing now."""
    return [
        Finding(check=what, seen=f"{what} {name!r} is missing after the upgrade")
        for what, old, new in (
            ("database", before.databases, after.databases),
            ("user", before.users, after.users),
            ("extension", list(before.extensions), list(after.extensions)),
        )
        for name in old
        if name not in new
    ]


def changed(before: ReadBack, after: ReadBack, *, resumed: bool) -> list[Finding]:
    """Find settings that are not as before; after a resume, which may have meant that, they are told only."""
    kept = {f"setting {name}": after.settings.get(name) for name in before.settings}
    wanted = {f"setting {name}": value for name, value in before.settings.items()}
    severity = Severity.WARN if resumed else Severity.BLOCK
    found = guest_steps.differences(wanted, kept)
    return [finding.model_copy(update={"severity": severity}) for finding in found]


def refusal(findings: list[Finding]) -> InstarError | None:
    """Make one error of what blocks an upgrade that has not touched anything."""
    return guest_steps.verdict(_blocking(findings), "The upgrade was refused before any downtime")


def broken_promise(findings: list[Finding]) -> InstarError | None:
    """Make one error of what is not as it was promised."""
    return guest_steps.verdict(_blocking(findings), "What runs is not what the upgrade promised")


def _blocking(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity == Severity.BLOCK]
