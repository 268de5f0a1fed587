"""Named jobs: one runs at a time, and what became of each is kept on disk.

A job is known by the name that its starter gave it, so that starting it twice is safe. Parameters are never
written: they may hold passwords. A job under way when the agent died has Failed, with code `interrupted`.
One that gives way ends when the other is started, with code `cancelled`; one that has stopped moving
ends before its starter gives up on it.
"""

import contextlib
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from instar.agent import durable
from instar.agent.datastores.base import Report
from instar.wire.agent import JobStart, JobView, Progress
from instar.wire.errors import BadRequest, Busy, ErrorBody, GuestError, InstarError
from instar.wire.states import JobState

LONGEST_WAIT = 10.0
"""Seconds that `view` waits at most."""

Work = Callable[[Report], dict[str, Any]]


def never(hook: str) -> bool:
    """Give way to no hook."""
    return False


@dataclass(frozen=True)
class Task:
    """What a job runs, how many seconds it may stand still, and whether it gives way to a job of a hook."""

    work: Work
    patience: float
    gives_way: Callable[[str], bool] = never


Bind = Callable[[str, dict[str, Any]], Task]
"""`bind(hook, params)` checks both and gives what the job runs. Raises BadRequest."""

_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_log = logging.getLogger(__name__)


class Interrupted(InstarError):
    """The agent ended while the job ran; hooks may be repeated."""

    code = "interrupted"


class Cancelled(InstarError):
    """The job gave way to another one; hooks may be repeated."""

    code = "cancelled"


@dataclass
class Run:
    """A job under way."""

    job_id: str
    task: Task
    told: tuple[str, float | None, float] = ("", None, 0)
    moved_at: float = 0.0
    successor: str | None = None
    """The job that it has to give way to."""


class Jobs:
    """The jobs of one server, kept in `directory`."""

    def __init__(self, directory: Path, bind: Bind) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory = directory
        self._bind = bind
        self._changed = threading.Condition()
        self._turn = threading.Lock()
        self._running: Run | None = None
        self._closed = False
        self._views: dict[str, JobView] = dict(self._load())

    def start(self, job_id: str, start: JobStart) -> JobView:
        """Start the job, or tell of it when it was started before.

        A job that Failed with a retryable error is started again. Raises Busy, naming the job that runs,
        unless that one gives way; the new job then begins when it has ended.
        """
        check_id(job_id)
        with self._changed:
            known = self._views.get(job_id)
            if known is not None and known.hook != start.hook:
                raise BadRequest(f"Job {job_id} was started with hook {known.hook}, not {start.hook}")
            if known is not None and not _may_start_again(known):
                return known
            before = self._running
            if before is not None and not before.task.gives_way(start.hook):
                raise Busy(
                    f"Job {before.job_id} is running",
                    seen=f"hook {self._views[before.job_id].hook}",
                    remedy="Wait for its end.",
                    retryable=True,
                )
            run = Run(job_id, self._bind(start.hook, start.params))
            view = JobView(id=job_id, hook=start.hook, state=JobState.IN_PROGRESS, started_at=time.time())
            self._keep(view)
            self._running = run
            if before is not None:
                before.successor = job_id
        threading.Thread(target=self._run, args=(run,), name=f"job {job_id}", daemon=True).start()
        return view

    def view(self, job_id: str, wait: float = 0.0) -> JobView:
        """Tell of a job, after up to `wait` seconds if it runs; NotStarted when nobody started it here."""
        check_id(job_id)
        unknown = JobView(id=job_id, state=JobState.NOT_STARTED)
        with self._changed:
            self._changed.wait_for(
                lambda: self._views.get(job_id, unknown).state is not JobState.IN_PROGRESS,
                timeout=min(max(wait, 0.0), LONGEST_WAIT),
            )
            return self._views.get(job_id, unknown)

    @contextlib.contextmanager
    def idle(self) -> Iterator[bool]:
        """Keep jobs from running meanwhile; yields False, and keeps nothing, when one runs already."""
        free = self._turn.acquire(blocking=False)
        try:
            yield free
        finally:
            if free:
                self._turn.release()

    def close(self) -> None:
        """The agent ends: a job that runs now is found interrupted by the next agent."""
        with self._changed:
            self._closed = True

    def _run(self, run: Run) -> None:
        def report(message: str, percent: float | None = None, measure: float = 0) -> None:
            self._report(run, (message, percent, measure))

        with self._turn:
            _log.info("job started: id=%s hook=%s", run.job_id, self._views[run.job_id].hook)
            run.moved_at = time.monotonic()
            result, error = _outcome(run.task.work, report)
        ended = {
            "state": JobState.SUCCEEDED if error is None else JobState.FAILED,
            "result": result,
            "error": error,
            "ended_at": time.time(),
        }
        with self._changed:
            if self._closed:
                return
            view = self._views[run.job_id].model_copy(update=ended)
            self._keep(view)
            if self._running is run:
                self._running = None
            self._changed.notify_all()
        _log.info(
            "job ended: id=%s state=%s%s", view.id, view.state, f" error={error.brief}" if error else ""
        )

    def _report(self, run: Run, told: tuple[str, float | None, float]) -> None:
        now = time.monotonic()
        with self._changed:
            if run.successor is not None:
                raise Cancelled(
                    f"Job {run.job_id} gave way to job {run.successor}",
                    remedy="Start it again afterwards.",
                    retryable=True,
                )
            if told != run.told:
                run.told, run.moved_at = told, now
                view = self._views[run.job_id]
                progress = Progress(message=told[0], percent=told[1], moved=view.progress.moved + 1)
                self._views[run.job_id] = view.model_copy(update={"progress": progress})
            elif now - run.moved_at > run.task.patience:
                raise _stalled(self._views[run.job_id].hook, run)

    def _keep(self, view: JobView) -> None:
        self._views[view.id] = view
        durable.write(self._directory / f"{view.id}.json", view.model_dump_json())

    def _load(self) -> Iterator[tuple[str, JobView]]:
        for path in self._directory.glob("*.json"):
            try:
                view = JobView.model_validate_json(path.read_bytes())
            except ValidationError:
                _log.warning("job state is not readable, ignored: %s", path)
                continue
            yield view.id, _interrupted(view) if view.state is JobState.IN_PROGRESS else view


def check_id(job_id: str) -> None:
    """Raise BadRequest unless the text can name a job."""
    if not _ID.fullmatch(job_id):
        raise BadRequest("job id must be 1 to 128 characters of A-Z a-z 0-9 . _ -")


def _may_start_again(view: JobView) -> bool:
    return view.state is JobState.FAILED and view.error is not None and view.error.retryable


def _interrupted(view: JobView) -> JobView:
    error = Interrupted(
        f"The agent ended while hook {view.hook} ran", remedy="Start the job again.", retryable=True
    )
    return view.model_copy(update={"state": JobState.FAILED, "error": error.body})


def _stalled(hook: str, run: Run) -> GuestError:
    return GuestError(
        f"{hook} was stopped: nothing moved for {run.task.patience:g} s",
        seen=f"it stood at: {run.told[0]}",
        remedy="See what keeps the database or its disk from going on, and try again.",
    )


def _outcome(work: Work, report: Report) -> tuple[dict[str, Any] | None, ErrorBody | None]:
    try:
        return work(report), None
    except InstarError as error:
        return None, error.body
    except Exception as error:  # noqa: BLE001 - the one who asked must learn of every failure
        _log.exception("job failed unexpectedly")
        return None, InstarError("The hook failed unexpectedly", seen=first_line(error)).body


def first_line(error: BaseException) -> str:
    """Name an unexpected error in a line."""
    return f"{type(error).__name__}: {error}".splitlines()[0]
