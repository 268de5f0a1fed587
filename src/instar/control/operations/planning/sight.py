"""What a plan sees: the records first, in one transaction, then provider and guest, outside of any.

Nothing that can't be seen ends the looking: it becomes a finding, and what would have been seen stays empty.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from instar.control.catalog import catalogues, parameters, paths, renames
from instar.control.operations import guest_steps
from instar.control.operations.context import Context
from instar.control.operations.planning.wanted import Wanted
from instar.control.operations.probes import registered
from instar.control.providers.base import VolumeInfo
from instar.control.store.tables import DatastoreVersion, Instance, Operation
from instar.wire.agent import (
    DatabaseStatus,
    Manifest,
    Parameter,
    ReadBack,
    UpgradeCheck,
    UpgradeFacts,
    UpgradeParams,
)
from instar.wire.errors import BadRequest, Finding, InstarError, Severity
from instar.wire.states import USABLE, InstanceStatus, ServerState, ServiceStatus

GRACE = 3.0
"""Seconds that what may pass by itself, such as an agent that restarts, has before it is a finding."""

Seen = TypeVar("Seen")


@dataclass
class Sight:
    """All that was seen, and `findings` on what stood in the way of seeing it, or is plain from it."""

    findings: list[Finding] = field(default_factory=list)
    catalogue_before: list[Parameter] = field(default_factory=list)
    catalogue_after: list[Parameter] = field(default_factory=list)
    image_before: Manifest | None = None
    image_after: Manifest | None = None
    volume: VolumeInfo | None = None
    read_back: ReadBack | None = None
    facts: UpgradeFacts = field(default_factory=UpgradeFacts)

    def engine_before(self, ctx: Context) -> str:
        """Give the engine's present version."""
        return ctx.instance.engine_version or ctx.instance.version.number

    def engine_after(self, ctx: Context) -> str:
        """Give the new image's engine version, the present one where it can't be told."""
        return self.image_after.engine_version if self.image_after else self.engine_before(ctx)

    @property
    def data_bytes(self) -> int | None:
        """How much data there is, as well as it is known."""
        if self.facts.data_bytes is not None:
            return self.facts.data_bytes
        return self.volume.used if self.volume else None


def look(ctx: Context, wanted: Wanted) -> Sight:
    """See everything that a plan is made of. Raises retryable errors for a while, then they are findings."""
    sight = Sight()
    _read_catalogue(ctx, wanted, sight)
    with ctx.store.read() as session:
        _records(session, ctx, wanted, sight)
    _images(ctx, wanted, sight)
    sight.volume = _ask(ctx, sight, "volume", lambda: ctx.provider.inspect_volume(ctx.volume))
    if _database_serves(ctx, sight):
        _guest(ctx, wanted, sight)
    else:
        seen = "what only the running database can tell was not looked at"
        sight.findings.append(Finding(check="guest", severity=Severity.NOTE, seen=seen))
    return sight


def finding_of(check: str, error: InstarError) -> Finding:
    """Make a finding of an error."""
    told = error.body.model_copy(update={"remedy": ""}).sentence().rstrip(".")
    return Finding(check=check, seen=told, remedy=error.body.remedy)


def may_pass(ctx: Context, error: InstarError) -> bool:
    """Tell whether to look again in a moment, instead of taking an error for a finding."""
    return error.body.retryable and ctx.work.waited < GRACE and ctx.instance.status != InstanceStatus.ERROR


def _ask(ctx: Context, sight: Sight, check: str, question: Callable[[], Seen]) -> Seen | None:
    try:
        return question()
    except InstarError as error:
        if may_pass(ctx, error):
            raise
        sight.findings += error.body.findings or [finding_of(check, error)]
        return None


def _read_catalogue(ctx: Context, wanted: Wanted, sight: Sight) -> None:
    """Read the catalogue of an image that its version was given only now."""
    with ctx.store.read() as session:
        target = session.get(DatastoreVersion, wanted.version_id)
        is_read = target is None or target.image != wanted.image or target.parameters_from == wanted.image
    if not is_read:
        tell = ctx.provider.parameters
        _ask(
            ctx, sight, "image", lambda: catalogues.refresh(ctx.store, wanted.version_id, wanted.image, tell)
        )


# -- records ------------------------------------------------------------------------------------------------


def _records(session: Session, ctx: Context, wanted: Wanted, sight: Sight) -> None:
    sight.findings += _in_the_way(session, ctx)
    current = session.get_one(DatastoreVersion, ctx.instance.version_id)
    target = session.get(DatastoreVersion, wanted.version_id)
    sight.catalogue_before = parameters.read(session, current)
    if target is None:
        seen = f"datastore version {wanted.version} is not registered any more"
        sight.findings.append(Finding(check="path", seen=seen, remedy="Choose another version."))
        return
    sight.catalogue_after = parameters.read(session, target)
    try:
        paths.check(current, target, target.datastore.versions)
    except BadRequest as error:
        sight.findings.append(Finding(check="path", seen=error.body.seen, remedy=error.body.remedy))


def _in_the_way(session: Session, ctx: Context) -> list[Finding]:
    """Find another operation, or a status, that an upgrade would be refused for."""
    instance = session.get_one(Instance, ctx.instance.id)
    other = session.execute(select(Operation).where(Operation.slot == instance.id)).scalar_one_or_none()
    if other is not None and other.id == ctx.work.operation_id:
        return []
    if other is not None:
        seen = f"operation {other.id} ({other.kind}) is in the way, at step {other.cursor}"
        return [Finding(check="operation", seen=seen, remedy="Wait for its end.")]
    if instance.status in USABLE:
        return []
    seen, remedy = f"the instance's status is {instance.status}", "Resume the operation that failed first."
    if fault := (instance.fault or {}).get("message"):
        seen = f"{seen}: {fault}"
    return [Finding(check="status", seen=seen, remedy=remedy)]


# -- provider and guest -------------------------------------------------------------------------------------


def _images(ctx: Context, wanted: Wanted, sight: Sight) -> None:
    after = _ask(ctx, sight, "image", lambda: ctx.provider.image(wanted.image))
    sight.image_after = after.manifest if after else None
    try:
        sight.image_before = ctx.provider.image(ctx.instance.image or "").manifest
    except InstarError as error:
        if may_pass(ctx, error):
            raise
        seen = f"the present image can't be read: {error.body.brief}"
        remedy = "Put it back where images are kept: without it there is no way back after the rebuild."
        sight.findings.append(
            Finding(check="present_image", severity=Severity.WARN, seen=seen, remedy=remedy)
        )


def _database_serves(ctx: Context, sight: Sight) -> bool:
    server = _ask(ctx, sight, "server", lambda: ctx.provider.inspect_server(ctx.server))
    if server is None:
        return False
    if server.state != ServerState.ACTIVE:
        seen = f"the server is {server.state}: {server.reason}"
        sight.findings.append(Finding(check="server", seen=seen, remedy="Wait until it runs again."))
        return False
    status: DatabaseStatus | None = _ask(ctx, sight, "agent", lambda: ctx.guest.status())
    if status is not None and status.status != ServiceStatus.HEALTHY:
        seen = f"the database is {status.status or 'unknown'}: {status.reason}"
        remedy = "Bring it back (`instar restart`) first."
        sight.findings.append(Finding(check="database", seen=seen, remedy=remedy))
    return status is not None and status.status == ServiceStatus.HEALTHY


def _guest(ctx: Context, wanted: Wanted, sight: Sight) -> None:
    sight.read_back = _ask(ctx, sight, "guest", lambda: guest_steps.read_back(ctx))
    if sight.image_after is None:
        return
    params = _params(ctx, wanted, sight, sight.image_after).model_dump()
    answer = _ask(ctx, sight, "guest", lambda: ctx.guest.call("check_upgrade", params))
    if answer is not None:
        check = UpgradeCheck.model_validate(answer)
        sight.findings += [Finding.model_validate(each) for each in check.findings]
        sight.facts = check.facts


def _params(ctx: Context, wanted: Wanted, sight: Sight, manifest: Manifest) -> UpgradeParams:
    """Say where the instance is to go; extensions are held against the image by the plan itself."""
    return UpgradeParams(
        target_engine_version=manifest.engine_version,
        target_image_digest=wanted.image,
        source_image_digest=ctx.instance.image or "",
        target_glibc=manifest.glibc,
        target_icu=manifest.icu,
        method=wanted.method,
        text_ordering=wanted.text_ordering,
        target_parameters=renames.understood(
            [parameter.name for parameter in sight.catalogue_after],
            ctx.instance.version.manager,
            sight.engine_before(ctx),
            manifest.engine_version,
        ),
        probes=registered(ctx.instance),
    )
