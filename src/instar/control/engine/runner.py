"""Runs the steps of one claimed operation until it waits, ends or is lost. The only place that sleeps."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from oslo_context.context import RequestContext
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from instar.control.engine import record
from instar.control.engine.lease import Claim, LeaseLost, Leases
from instar.control.engine.outcomes import Done, Fail, Goto, Outcome, Step, Story, StoryError, Wait
from instar.control.store.tables import Instance, Operation
from instar.wire.errors import InstarError
from instar.wire.states import OperationState

LOG = logging.getLogger(__name__)
BRIEF = 0.1
"""A wait shorter than this keeps its thread, for at most `HOLD` seconds in a row."""
HOLD = 2.0
BACKOFF_LIMIT = 15.0


@dataclass(frozen=True)
class Work:
    """What a step is told: the operation as it stands, and a way to ask whether it is still this worker's."""

    operation_id: str
    kind: str
    step: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    secrets: str | None
    resumes: int
    waited: float
    outage: Mapping[str, Any] | None
    error: Mapping[str, Any] | None
    instance: Instance
    still_mine: Callable[[], bool]

    def check_mine(self) -> None:
        """Raise LeaseLost unless the operation is still ours: for long steps, before they act again."""
        if not self.still_mine():
            raise LeaseLost


@dataclass(frozen=True)
class Ready:
    """A step that was begun, and may be run now."""

    story: Story[Any]
    step: Step[Any]
    work: Work
    attempts: int


class Runner:
    """Runs claimed operations; `make_context` turns a `Work` into what the stories' steps take."""

    def __init__(
        self, leases: Leases, stories: Mapping[str, Story[Any]], make_context: Callable[[Work], Any]
    ) -> None:
        self.leases = leases
        self.stories = stories
        self.make_context = make_context
        self.stopping = threading.Event()

    def run(self, claim: Claim) -> None:
        """Run the operation's steps until it gives the thread back."""
        try:
            with self.leases.holding(claim) as (session, operation, now):
                _name_log_lines(operation)
                ready = self._ready(session, now, claim, operation)
            while ready is not None and not self.stopping.is_set():
                ready = self._one_step(claim, ready)
        except LeaseLost:
            LOG.warning("operation taken over by another worker operation=%s", claim.operation_id)

    def _ready(self, session: Session, now: float, claim: Claim, operation: Operation) -> Ready | None:
        """Begin the step under the cursor in the transaction that brought it there; None: it has to wait."""
        story = self.stories[operation.kind]
        while operation.state == OperationState.OPEN and operation.lease_until is not None:
            step = story.find(operation.cursor)
            if step is None:
                record.fail(session, now, story, operation, None, _unknown(operation))
                return None
            if operation.step_started is None:
                record.enter(session, now, operation, step)
            if not (operation.asked_back and record.obey(session, now, story, operation, step)):
                return Ready(story, step, self._work(claim, operation, now), operation.attempts)
        return None

    def _one_step(self, claim: Claim, ready: Ready) -> Ready | None:
        """Run a step and record its outcome; gives the next one when that can be run at once."""
        outcome, failed_try = self._attempt(ready.step, ready.work, ready.attempts)
        attempts = ready.attempts + 1 if failed_try else None
        try:
            following = self._record(claim, ready, outcome, attempts)
        except (LeaseLost, OperationalError):
            raise
        except Exception as error:
            LOG.exception(
                "outcome can't be written operation=%s step=%s", claim.operation_id, ready.step.name
            )
            outcome = Fail(error if isinstance(error, StoryError) else _unwritable(ready.step, error))
            following = self._record(claim, ready, outcome, None)
        self._log(ready.work, outcome)
        return following

    def _record(self, claim: Claim, ready: Ready, outcome: Outcome, attempts: int | None) -> Ready | None:
        """Write the outcome, and begin the next step with it."""
        with self.leases.holding(claim) as (session, operation, now):
            record.write(session, now, ready.story, operation, ready.step, outcome)
            if attempts is not None and operation.cursor == ready.step.name:
                operation.attempts = attempts
            return self._ready(session, now, claim, operation)

    def _attempt(self, step: Step[Any], work: Work, attempts: int) -> tuple[Outcome, bool]:
        """Run the step, keeping the thread through brief waits; tells whether the try failed in passing."""
        until = time.monotonic() + HOLD
        while True:
            outcome, failed_try = self._call(step, work, attempts)
            brief = isinstance(outcome, Wait) and outcome.seconds <= BRIEF and not failed_try
            if not brief or time.monotonic() > until or self.stopping.is_set():
                return outcome, failed_try
            assert isinstance(outcome, Wait)
            time.sleep(outcome.seconds)
            work.check_mine()

    def _call(self, step: Step[Any], work: Work, attempts: int) -> tuple[Outcome, bool]:
        try:
            outcome = step.run(self.make_context(work))
        except LeaseLost:
            raise
        except InstarError as error:
            if not error.body.retryable:
                return Fail(error), False
            return Wait(_backoff(attempts), error.body.sentence()), True
        except OperationalError as error:
            LOG.error("record store did not answer step=%s error=%s", work.step, error)
            return Wait(_backoff(attempts), "the record store does not answer"), True
        except Exception as error:
            LOG.exception("step raised operation=%s step=%s", work.operation_id, step.name)
            return Fail(_unexpected(step, error)), False
        if not isinstance(outcome, Done | Wait | Fail | Goto):
            return Fail(
                StoryError(f"Step {step.name} of {work.kind} gave back no outcome", seen=repr(outcome))
            ), False
        return outcome, False

    def _work(self, claim: Claim, operation: Operation, now: float) -> Work:
        instance = operation.instance
        return Work(
            operation_id=operation.id,
            kind=operation.kind,
            step=operation.cursor,
            inputs=operation.inputs,
            outputs=operation.outputs,
            secrets=operation.secrets,
            resumes=operation.resumes,
            waited=now - (operation.step_started or 0.0),
            outage=operation.outage,
            error=operation.error,
            instance=instance,
            still_mine=lambda: self.leases.still_mine(claim),
        )

    def _log(self, work: Work, outcome: Outcome) -> None:
        level = logging.WARNING if isinstance(outcome, Fail) else logging.INFO
        detail = {"Wait": "reason", "Fail": "error", "Goto": "step"}.get(type(outcome).__name__)
        LOG.log(
            level,
            "step outcome operation=%s instance=%s step=%s outcome=%s detail=%s",
            work.operation_id,
            work.instance.id,
            work.step,
            type(outcome).__name__.lower(),
            getattr(outcome, detail) if detail else "",
        )


def _name_log_lines(operation: Operation) -> None:
    """Have the log lines of this thread name the request that set the operation off, as the API's own do."""
    RequestContext(request_id=operation.request_id, user_id=operation.actor, project_id=operation.project)


def _backoff(attempts: int) -> float:
    return min(0.2 * 2.0 ** min(attempts, 10), BACKOFF_LIMIT)


def _unknown(operation: Operation) -> StoryError:
    return StoryError(
        f"This release knows no step {operation.cursor} of operation kind {operation.kind}",
        seen=f"operation {operation.id} was begun by another release",
        remedy="Run a release that knows the step, and resume the operation.",
    )


def _unwritable(step: Step[Any], error: Exception) -> StoryError:
    return StoryError(
        f"What step {step.name} gave back can't be written into the record",
        seen=_without_values(error),
        remedy="The worker's log has the traceback; resume the operation when the cause is mended.",
    )


def _without_values(error: Exception) -> str:
    """Say what went wrong without the statement and the values of a record, which may be secret."""
    cause = getattr(error, "orig", None) or error
    return f"{type(cause).__name__}: {cause}".partition("\n")[0][:300]


def _unexpected(step: Step[Any], error: Exception) -> InstarError:
    return InstarError(
        f"Step {step.name} ended in an unexpected error",
        seen=f"{type(error).__name__}: {error}",
        remedy="The worker's log has the traceback; resume the operation when the cause is mended.",
    )
