"""Create: a new instance with an address, a volume and a server of its own, serving a database.

1. network      the address and the hostname, and who may reach it
2. volume       the data volume
3. server       the server, from the version's image, with its injected files
4. await_agent  its agent answers, as the one that was expected
5. prepare      the guest makes the database, the users, and lets clients in
6. verify       what runs is read back
7. finish       the record says what was seen

A failure leaves the instance in ERROR with a fault; `resume` runs the failed step again, `delete` removes it.
"""

from typing import Any

from sqlalchemy.orm import Session

from instar.control.catalog import character_sets, versions
from instar.control.engine.outcomes import Done, Fail, Outcome, Step, Story, Wait
from instar.control.engine.submit import Submission, submit
from instar.control.operations import access, attachment, guest_steps, quotas, sizes, tags
from instar.control.operations.context import Context
from instar.control.operations.desk import Caller, Desk, Submitted
from instar.control.providers.base import ServerSpec
from instar.control.store.tables import Configuration, DatastoreVersion, Instance
from instar.wire import rest
from instar.wire.agent import DatabaseSpec, PrepareParams, UserSpec
from instar.wire.errors import BadRequest, InstarError
from instar.wire.ids import new_id
from instar.wire.states import InstanceStatus, ServerState, Stretch


def request(desk: Desk, caller: Caller, wanted: rest.CreateInstance) -> Submitted:
    """Accept a create: the instance's row, the operation and the first event in one transaction.

    Raises BadRequest naming the field, NotFound for an unknown datastore or version, OverLimit beyond a
    quota.
    """
    desk.flavors()  # a cloud is asked before the transaction begins; what it says is kept for a while
    newest = tags.resolve(desk, lambda session: versions.choose(session, wanted.datastore))
    with desk.store.begin() as session:
        version = versions.choose(session, wanted.datastore)
        image = versions.image_of(version, newest)
        _refuse_beyond_quota(session, desk, caller, wanted)
        instance = _row(desk, caller, wanted, version, now=desk.store.now(session))
        group = _group(session, caller, wanted, version)
        instance.configuration = group
        session.add(instance)
        submission = Submission(
            actor=caller.user,
            request_id=caller.request_id,
            inputs={
                "image": image,
                "databases": [d.model_dump() for d in wanted.databases],
                "configuration_id": group.id if group else None,
            },
            secrets=desk.sealer.seal(_users(wanted) | {"configuration": group.settings if group else {}}),
            details={
                "name": wanted.name,
                "flavor_id": instance.flavor_id,
                "volume_size": instance.volume_size,
                "datastore_version": version.name,
                "image_id": image,
            },
        )
        operation = submit(session, instance.created, STORY, instance, submission)
    desk.wake()
    return Submitted(operation.id, instance.id)


def _refuse_beyond_quota(session: Session, desk: Desk, caller: Caller, wanted: rest.CreateInstance) -> None:
    ram = quotas.ram(desk, wanted.flavorRef or "")
    asked = {"instances": 1, "volumes": wanted.volume.size if wanted.volume else 0, "ram": ram}
    quotas.refuse_beyond(session, desk, caller.project, asked)


def _group(
    session: Session, caller: Caller, wanted: rest.CreateInstance, version: DatastoreVersion
) -> Configuration | None:
    if wanted.configuration is None:
        return None
    return attachment.for_new_instance(session, caller, wanted.configuration, version)


def _row(
    desk: Desk, caller: Caller, wanted: rest.CreateInstance, version: DatastoreVersion, now: float
) -> Instance:
    if wanted.volume is None:
        raise BadRequest("instance.volume: must be given, with a size in GiB")
    flavor = sizes.flavor(desk, wanted.flavorRef, "instance.flavorRef")
    _check_names(wanted)
    access.check(desk, wanted.access or rest.Access())
    character_sets.check(version.manager, wanted.databases, "instance.databases")
    return Instance(
        id=new_id(),
        project=caller.project,
        name=wanted.name,
        version=version,
        flavor_id=flavor.id,
        volume_size=wanted.volume.size,
        status=InstanceStatus.BUILD,
        service_status="",
        service_reason="",
        next_check=now,
        access=wanted.access.model_dump(exclude_unset=True) if wanted.access else None,
        created=now,
        updated=now,
        deleted=False,
    )


def _check_names(wanted: rest.CreateInstance) -> None:
    databases = {database.name for database in wanted.databases}
    if len(databases) != len(wanted.databases):
        raise BadRequest("instance.databases: a name stands there twice")
    for user in wanted.users:
        unknown = [database.name for database in user.databases if database.name not in databases]
        if unknown:
            raise BadRequest(
                f"instance.users: {user.name} is to use databases that are not asked for: {unknown}"
            )
    names = [(user.name, user.host or "%") for user in wanted.users]
    if len(set(names)) != len(names):
        raise BadRequest("instance.users: a name stands there twice")


def _users(wanted: rest.CreateInstance) -> dict[str, Any]:
    users = [
        UserSpec(
            name=user.name,
            password=user.password,
            host=user.host or "%",
            databases=[database.name for database in user.databases],
        )
        for user in wanted.users
    ]
    return {"users": [user.model_dump() for user in users]} if users else {}


def network(ctx: Context) -> Outcome:
    """Find or make the address and the hostname, unless the image is none of the version's."""
    manifest = ctx.provider.image(ctx.inputs["image"]).manifest
    if seen := versions.mismatch(ctx.instance.version, manifest):
        remedy = "Register the right image, or the right tags, with it, and create the instance again."
        return Fail(InstarError("The datastore version has a wrong image", seen=seen, remedy=remedy))
    port = ctx.provider.ensure_port(ctx.name, hostname(ctx.instance))
    if ctx.instance.access and ctx.provider.abilities.limits_access:
        access.tell(ctx, port.handle, ctx.instance.access)
    return Done(record={"port": port.handle, "address": port.address, "hostname": port.hostname})


def hostname(instance: Instance) -> str:
    """Derive a host name that DNS would take from the instance's name and id."""
    words = "".join(
        letter if letter.isascii() and letter.isalnum() else "-" for letter in instance.name.lower()
    )
    return f"{words.strip('-')[:40].strip('-') or 'instance'}-{instance.id[:8]}"


def volume(ctx: Context) -> Outcome:
    """Find or make the data volume."""
    made = ctx.provider.ensure_volume(ctx.name, ctx.instance.volume_size)
    return Done(record={"volume": made.handle, "volume_id": made.id})


def server(ctx: Context) -> Outcome:
    """Find or make the server."""
    spec = ServerSpec(
        name=ctx.name,
        image=ctx.inputs["image"],
        flavor=ctx.flavor(),
        port=ctx.port,
        volume=ctx.volume,
        files=ctx.files(),
        title=ctx.instance.name,
    )
    info = ctx.provider.ensure_server(spec)
    if info.state == ServerState.BUILDING:
        return Wait(0.1, f"the server is being built: {info.reason}".rstrip(": "))
    if info.state != ServerState.ACTIVE:
        return Fail(
            InstarError(
                "The server could not be made",
                seen=f"the provider says {info.state}: {info.reason}",
                remedy="Mend the cause at the provider and resume the operation, or delete the instance.",
            )
        )
    return Done(record={"server": info.handle})


def await_agent(ctx: Context) -> Outcome:
    """Wait for the image's agent."""
    return guest_steps.await_agent(ctx, ctx.inputs["image"])


def prepare(ctx: Context) -> Outcome:
    """Let the guest make the database."""
    params = PrepareParams(
        databases=[DatabaseSpec.model_validate(database) for database in ctx.inputs["databases"]],
        users=[UserSpec.model_validate(user) for user in ctx.secrets().get("users", [])],
        configuration=ctx.secrets().get("configuration", {}),
    )
    return guest_steps.run_job(ctx, "prepare", params)


def verify(ctx: Context) -> Outcome:
    """Read back what runs."""
    manifest = ctx.provider.image(ctx.inputs["image"]).manifest
    seen, findings = guest_steps.verify_machine(ctx, manifest, ctx.inputs["image"])
    error = guest_steps.verdict(findings, "What runs is not what was asked for")
    return Fail(error) if error else Done(seen)


def finish(ctx: Context) -> Outcome:
    """Record what was seen."""
    seen = ctx.output("verify")
    return Done(
        record={
            "image": seen["image"],
            "agent_version": seen["agent version"],
            "engine_version": seen["engine version"],
            "service_status": seen["service"],
            "settings": ctx.secrets().get("configuration") or None,
        }
    )


STORY: Story[Context] = Story(
    kind="create",
    status=InstanceStatus.BUILD,
    steps=(
        Step("network", network),
        Step("volume", volume),
        Step("server", server, patience=900),
        Step("await_agent", await_agent, patience=300),
        Step("prepare", prepare, patience=600),
        Step("verify", verify, Stretch.SETTLE, patience=60),
        Step("finish", finish, Stretch.SETTLE),
    ),
)
