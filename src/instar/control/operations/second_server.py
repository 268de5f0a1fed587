"""An instance's second server: the standby that is to replace the first, or the replaced one that is kept.

An instance has two names for servers. Its own server has one of them, so that whatever is found under the
other, be it recorded or not, is its second one; a standby waits at a port that has the instance's second
name, too. An upgrade that replaces the server notes both handles in the output of its step `standby`.
"""

from instar.control.engine.outcomes import Done, Fail, Outcome, Wait
from instar.control.operations import guest_steps
from instar.control.operations.context import Context
from instar.control.providers.base import Handle, ServerSpec
from instar.wire.agent import AgentInfo
from instar.wire.errors import GuestUnreachable, InstarError, ProviderError
from instar.wire.states import ServerState


def make_room(ctx: Context) -> Outcome:
    """Delete what an earlier upgrade kept; the output is the `name` that a standby can have."""
    clear(ctx)
    return Done({"name": _free_name(ctx)})


def boot(ctx: Context, image: str) -> Outcome:
    """Find or make a standby with a port of its own; done when its agent says there that it waits.

    The output names the servers: `before` is the instance's, `server` the one that is to take over.
    """
    ctx.work.check_mine()
    port = ctx.provider.ensure_port(ctx.second_name, ctx.port.hostname)
    spec = ServerSpec(
        name=ctx.output("make_room")["name"],
        image=image,
        flavor=ctx.flavor(),
        port=port,
        volume=None,
        files=ctx.files(waits_at=port.address),
        title=ctx.instance.name,
        takes_over=ctx.port.handle,
    )
    ctx.work.check_mine()
    info = ctx.provider.ensure_server(spec)
    outcome = guest_steps.up(info, "boot of the new server", "booted")
    if not isinstance(outcome, Done):
        return outcome
    waiting = _await_agent(ctx, port.address, image)
    return waiting or Done({"server": info.handle, "before": ctx.server})


def _await_agent(ctx: Context, address: str, image: str) -> Outcome | None:
    """Ask a standby's agent who it is; None when it is the right one, and waits."""
    try:
        info = ctx.guests.at(ctx.instance.id, address).info()
    except GuestUnreachable as error:
        seen = error.body.seen or error.body.brief
        return Wait(guest_steps.LOOK_AGAIN, f"the new server's agent does not answer yet ({seen})")
    wrong = guest_steps.wrong_agent(ctx, info, image) or _no_standby(info)
    return Fail(wrong) if wrong else None


def _no_standby(info: AgentInfo) -> InstarError | None:
    if info.standby:
        return None
    return InstarError(
        "The image can't wait for a volume and an address",
        seen=f"its agent {info.agent_version} does not say that it is a standby",
        remedy="Use strategy rebuild, or an image that was built with this release.",
    )


def hand_over(ctx: Context, giver: Handle, taker: Handle, token: str) -> Outcome:
    """Stop a server and give its volume and the instance's port to another, which is the instance's then."""
    stopping = stop(ctx, giver, token)
    if stopping is not None:
        return stopping
    ctx.work.check_mine()
    moving = ctx.provider.hand_over(giver, taker, ctx.volume, ctx.port.handle)
    if moving.done:
        return Done(record={"server": taker})
    return Wait(
        guest_steps.LOOK_AGAIN, moving.reason or "volume and address are handed over", moved=moving.moved
    )


def stop(ctx: Context, server: Handle, token: str) -> Wait | None:
    """Have a server end that may be gone, once per token; None when nothing of it runs."""
    info = ctx.provider.inspect_server(server)
    if info.state != ServerState.MISSING:
        ctx.work.check_mine()
        info = ctx.provider.stop_server(server, token)
    if info.state in (ServerState.STOPPED, ServerState.MISSING):
        return None
    return Wait(guest_steps.LOOK_AGAIN, f"the server is being stopped: {info.state} {info.reason}".rstrip())


def before(ctx: Context) -> Handle | None:
    """Give the server that the instance had before the upgrade which is to be taken back, if it can serve.

    One that is gone, or of another size than the instance is now, can't: there, the present one is rebuilt.
    """
    kept = (ctx.instance.undo or {}).get("server") if "undoes" in ctx.inputs else _noted(ctx).get("before")
    if kept is None:
        return None
    info = ctx.provider.inspect_server(kept)
    if info.state in (ServerState.MISSING, ServerState.ERROR):
        return None
    return kept if info.flavor in (None, ctx.instance.flavor_id) else None


def both(ctx: Context) -> list[Handle]:
    """Give the instance's server, and the one that was to replace it or was replaced in this operation."""
    noted = [_noted(ctx)[name] for name in ("server", "before") if _noted(ctx)]
    return [ctx.server, *(each for each in noted if each != ctx.server)]


def clear(ctx: Context, kept: Handle | None = None) -> None:
    """Delete the second server unless it is to be kept, and the port that standbys wait at. Repeatable."""
    for handle in _second(ctx):
        if handle != kept:
            ctx.work.check_mine()
            ctx.provider.destroy_server(handle)
    port = ctx.provider.find_port(ctx.second_name)
    if port is not None:
        ctx.work.check_mine()
        ctx.provider.destroy_port(port)


def _second(ctx: Context) -> list[Handle]:
    """Find the second server; none where it is not certain which is the instance's own."""
    volume = ctx.provider.inspect_volume(ctx.volume)
    found = {name: ctx.provider.find_server(name) for name in ctx.server_names}
    if ctx.server not in found.values():
        return []
    with_volume = found.get(volume.attached_to or "") if volume else None
    return [each for each in found.values() if each is not None and each not in (ctx.server, with_volume)]


def _free_name(ctx: Context) -> str:
    """Give the name that the instance's own server has not."""
    for name in ctx.server_names:
        if ctx.provider.find_server(name) == ctx.server:
            return next(other for other in ctx.server_names if other != name)
    raise ProviderError(
        f"The server of instance {ctx.instance.id} has neither of its names",
        seen=f"nothing is found by {' or '.join(ctx.server_names)} that is on record",
        remedy="Look at the provider; use strategy rebuild meanwhile.",
    )


def _noted(ctx: Context) -> dict[str, Handle]:
    return ctx.output("standby")
