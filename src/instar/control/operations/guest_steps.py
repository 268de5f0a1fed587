"""Steps that many stories share: run a named job of the guest, wait for an agent, read back what runs."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from instar.control.engine.outcomes import Done, Fail, Goto, Outcome, Wait
from instar.control.operations.context import Context
from instar.control.providers.base import ServerInfo
from instar.wire.agent import AgentInfo, JobView, Manifest, ReadBack
from instar.wire.errors import Busy, Finding, GuestError, GuestUnreachable, InstarError, NotFound, Vetoed
from instar.wire.states import JobState, ServerState, ServiceStatus

LONG_POLL = 0.5
"""Seconds that one look at a job may keep its thread."""
LOOK_AGAIN = 0.02


def run_job(ctx: Context, hook: str, params: BaseModel | None = None) -> Outcome:
    """Start the named job, or find it, and wait for its end; its result becomes the step's output.

    The job's name derives from operation and step, so that another worker finds the same job; each resume
    begins a new one.
    """
    ctx.work.check_mine()
    job_id = f"{ctx.work.operation_id}.{ctx.work.step}.{ctx.work.resumes}"
    try:
        view = ctx.guest.start_job(job_id, hook, params.model_dump() if params else {})
    except Busy as error:
        return Wait(1.0, error.body.sentence())
    if view.state == JobState.IN_PROGRESS:
        view = ctx.guest.job(job_id, wait=LONG_POLL)
    return _outcome(hook, view, ctx.work.waited)


def _outcome(hook: str, view: JobView, waited: float) -> Outcome:
    match view.state:
        case JobState.SUCCEEDED:
            return Done(view.result or {})
        case JobState.FAILED:
            error = InstarError.from_body(view.error) if view.error else GuestError(f"Job {hook} failed")
            if error.body.retryable:
                raise error
            return Fail(error)
        case _:
            reason = view.progress.message or f"the guest runs {hook}"
            pause = LOOK_AGAIN if waited < 10 else 1.0
            return Wait(pause, reason, moved=view.progress.moved, percent=view.progress.percent)


def rebuild(ctx: Context, image: str, token: str) -> Outcome:
    """Put an image in place of the server's root disk; the port and the volume stay."""
    ctx.work.check_mine()
    info = ctx.provider.rebuild_server(ctx.server, image, ctx.files(), token)
    outcome = up(info, "rebuild", "rebuilt")
    return replace(outcome, output={"image": info.image}) if isinstance(outcome, Done) else outcome


def up(info: ServerInfo, what: str, done: str) -> Outcome:
    """Tell what a provider's change of a server comes to: it is up, on its way, or it won't run."""
    if info.state == ServerState.BUILDING:
        return Wait(LOOK_AGAIN, f"the server is being {done}: {info.reason}".rstrip(": "))
    if info.state != ServerState.ACTIVE:
        return Fail(
            InstarError(
                f"The {what} did not leave a running server",
                seen=f"the provider says {info.state}: {info.reason}",
                remedy="Mend the cause at the provider and resume the operation.",
            )
        )
    return Done(record={"server": info.handle})


def watched(run: Callable[[Context], Outcome]) -> Callable[[Context], Outcome]:
    """Have the instance's address watched from outside while the step runs, and what was seen recorded."""

    @functools.wraps(run)
    def step(ctx: Context) -> Outcome:
        ctx.watch()
        outcome = run(ctx)
        return replace(outcome, outage=ctx.outage()) if isinstance(outcome, Done | Fail | Goto) else outcome

    return step


def is_out(ctx: Context) -> bool:
    """Tell whether clients can't get in from outside, though they could since it is watched."""
    seen = ctx.outage()
    return seen is not None and seen["down_since"] is not None and seen["ever_up"]


def await_agent(ctx: Context, image: str, *, after: str = "") -> Outcome:
    """Wait until the agent answers, and answers as the one that the image holds.

    `after` is the id of a boot that must be over: its agent may go on answering for a moment.
    """
    try:
        info = ctx.guest.info()
    except GuestUnreachable as error:
        state = ctx.provider.inspect_server(ctx.server)
        if state.state in (ServerState.MISSING, ServerState.ERROR):
            return Fail(
                InstarError(
                    "The new server does not run",
                    seen=f"the provider says {state.state}: {state.reason}",
                    remedy="Look at the server's console, mend the cause, and resume the operation.",
                )
            )
        return Wait(LOOK_AGAIN, f"the agent does not answer yet ({error.body.seen or error.body.brief})")
    if after and info.boot_id == after:
        return Wait(LOOK_AGAIN, "the server has not gone down yet")
    wrong = wrong_agent(ctx, info, image)
    return Fail(wrong) if wrong else Done(info.model_dump())


def wrong_agent(ctx: Context, info: AgentInfo, image: str) -> InstarError | None:
    """Hold the agent that answered against the one that the image holds; None when it is that one."""
    release = _agent_of(ctx, image) or info.agent_version
    expected = {"instance": ctx.instance.id, "image": image, "agent version": release}
    seen = {"instance": info.instance_id, "image": info.image_digest, "agent version": info.agent_version}
    if expected == seen:
        return None
    return InstarError(
        "Another agent answers than the one that was expected",
        seen="; ".join(finding.seen for finding in differences(expected, seen)),
        remedy="Find out what answers on the instance's address, set it right, and resume the operation.",
    )


def _agent_of(ctx: Context, image: str) -> str | None:
    """Tell the release of the agent in an image, None when the image has left the store since."""
    try:
        return ctx.provider.image(image).manifest.agent_version
    except NotFound:
        return None


def reinstate(ctx: Context) -> Outcome:
    """Start the database again where it was stopped; ends when it is healthy."""
    outcome = run_job(ctx, "start")
    if not isinstance(outcome, Done):
        return outcome
    status = ctx.guest.status()
    if status.status != ServiceStatus.HEALTHY:
        return Wait(LOOK_AGAIN, f"the database is not healthy yet: {status.status} {status.reason}".rstrip())
    if is_out(ctx):
        return Wait(LOOK_AGAIN, "from outside, the instance's address lets nobody in yet")
    return Done(record={"service_status": status.status, "restart_required": False})


def serving(ctx: Context, **record: Any) -> Outcome:
    """Wait until the database answers a query, and record that."""
    status = ctx.guest.status()
    if status.status != ServiceStatus.HEALTHY:
        return Wait(LOOK_AGAIN, f"the database is {status.status}: {status.reason}")
    return Done(record={"service_status": status.status, **record})


def healthy(ctx: Context) -> Outcome:
    """Wait until a database that was started serves; no value of its configuration waits for a start now."""
    return serving(ctx, restart_required=False)


def read_back(ctx: Context) -> ReadBack:
    """Ask the running database what it is."""
    return ReadBack.model_validate(ctx.guest.call("read_back", {}))


def verify_machine(ctx: Context, manifest: Manifest, image: str) -> tuple[dict[str, Any], list[Finding]]:
    """Read from the machine and the database what runs, and gather what is not as it should be."""
    server = ctx.provider.inspect_server(ctx.server)
    volume = ctx.provider.inspect_volume(ctx.volume)
    info, status, said = ctx.guest.info(), ctx.guest.status(), read_back(ctx)
    seen = {
        "image": server.image,
        "agent image": info.image_digest,
        "agent version": info.agent_version,
        "engine version": said.engine_version,
        "volume": volume.id if volume else None,
        "service": str(status.status),
    }
    expected = {
        "image": image,
        "agent image": image,
        "agent version": manifest.agent_version,
        "engine version": manifest.engine_version,
        "volume": ctx.instance.volume_id or (volume.id if volume else "a volume"),
        "service": str(ServiceStatus.HEALTHY),
    }
    return {**seen, "read_back": said.model_dump()}, differences(expected, seen)


def differences(expected: Mapping[str, Any], seen: Mapping[str, Any]) -> list[Finding]:
    """Say of each thing that is not as expected what was seen instead."""
    return [
        Finding(check=name, seen=f"{name} should be {value!r} and is {seen.get(name)!r}")
        for name, value in expected.items()
        if seen.get(name) != value
    ]


def verdict(findings: list[Finding], what: str) -> InstarError | None:
    """Make one error of all findings, None when there are none."""
    if not findings:
        return None
    return Vetoed(
        f"{what}: {len(findings)} finding{'s' if len(findings) > 1 else ''}",
        seen="; ".join(finding.seen for finding in findings),
        remedy=" ".join(finding.remedy for finding in findings if finding.remedy)
        or "Mend what was found and resume the operation.",
        findings=findings,
    )
