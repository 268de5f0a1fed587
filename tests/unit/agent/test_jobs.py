import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from instar.agent.datastores.base import Report
from instar.agent.jobs import Jobs, Task
from instar.wire.agent import JobStart
from instar.wire.errors import BadRequest, Busy, GuestError
from instar.wire.states import JobState


class Hooks:
    """Hooks whose end the test decides."""

    def __init__(self) -> None:
        self.runs: list[dict[str, Any]] = []
        self.gate = threading.Event()
        self.outcome: Callable[[], dict[str, Any]] = lambda: {"done": True}
        self.patience = 60.0

    def bind(self, hook: str, params: dict[str, Any]) -> Task:
        if hook == "modest":
            return Task(self._stand_still, self.patience, gives_way=lambda hook: hook == "work")
        if hook != "work":
            raise BadRequest("no such hook")

        def work(report: Report) -> dict[str, Any]:
            self.runs.append(params)
            report("half", 50.0)
            assert self.gate.wait(10)
            return self.outcome()

        return Task(work, self.patience)

    def _stand_still(self, report: Report) -> dict[str, Any]:
        report("counting", None, 1)
        report("counting", None, 2)
        while not self.gate.wait(0.001):
            report("counting", None, 2)
        return {}


@pytest.fixture
def hooks() -> Hooks:
    return Hooks()


@pytest.fixture
def jobs(tmp_path: Path, hooks: Hooks) -> Jobs:
    return Jobs(tmp_path / "jobs", hooks.bind)


WORK = JobStart(hook="work", params={"password": "secret"})


def test_unknown_job_is_not_started(jobs: Jobs) -> None:
    assert jobs.view("x", wait=5).state is JobState.NOT_STARTED


def test_job_runs_once_and_is_told_of(jobs: Jobs, hooks: Hooks) -> None:
    assert jobs.start("j", WORK).state is JobState.IN_PROGRESS
    assert jobs.start("j", WORK).state is JobState.IN_PROGRESS
    hooks.gate.set()
    view = jobs.view("j", wait=10)
    assert (view.state, view.result, view.progress.moved) == (JobState.SUCCEEDED, {"done": True}, 1)
    assert jobs.start("j", WORK) == view
    assert len(hooks.runs) == 1


def test_second_job_is_refused_naming_the_first(jobs: Jobs, hooks: Hooks) -> None:
    jobs.start("first", WORK)
    with pytest.raises(Busy, match="first"):
        jobs.start("second", WORK)
    with pytest.raises(BadRequest, match="hook"):
        jobs.start("first", JobStart(hook="other"))
    hooks.gate.set()


def test_job_that_gives_way_ends_when_another_is_started(jobs: Jobs, hooks: Hooks) -> None:
    jobs.start("first", JobStart(hook="modest"))
    assert jobs.start("second", WORK).state is JobState.IN_PROGRESS
    first = jobs.view("first", wait=10)
    assert first.error is not None
    assert (first.error.code, first.error.retryable) == ("cancelled", True)
    assert "second" in first.error.brief
    with pytest.raises(Busy, match="second"):
        jobs.start("first", JobStart(hook="modest"))
    hooks.gate.set()
    assert jobs.view("second", wait=10).state is JobState.SUCCEEDED
    assert jobs.start("first", JobStart(hook="modest")).state is JobState.IN_PROGRESS
    assert jobs.view("first", wait=10).state is JobState.SUCCEEDED


def test_job_gives_way_to_some_hooks_only(jobs: Jobs, hooks: Hooks) -> None:
    jobs.start("first", JobStart(hook="modest"))
    with pytest.raises(Busy, match="first"):
        jobs.start("second", JobStart(hook="modest"))
    hooks.gate.set()
    assert jobs.view("first", wait=10).state is JobState.SUCCEEDED


def test_job_that_stands_still_is_stopped_and_tells_where(jobs: Jobs, hooks: Hooks) -> None:
    hooks.patience = 0.0
    jobs.start("j", JobStart(hook="modest"))
    view = jobs.view("j", wait=10)
    assert view.error is not None
    assert (view.error.code, view.error.retryable, view.progress.moved) == ("guest", False, 2)
    assert view.error.brief == "modest was stopped: nothing moved for 0 s"
    assert "counting" in view.error.seen


@pytest.mark.parametrize(("retryable", "runs"), [(True, 2), (False, 1)])
def test_failed_job_is_started_again_only_if_that_may_help(
    jobs: Jobs, hooks: Hooks, retryable: bool, runs: int
) -> None:
    hooks.gate.set()

    def fail() -> dict[str, Any]:
        raise GuestError("broken", retryable=retryable)

    hooks.outcome = fail
    jobs.start("j", WORK)
    error = jobs.view("j", wait=10).error
    assert error is not None
    assert (error.code, error.brief) == ("guest", "broken")
    jobs.start("j", WORK)
    jobs.view("j", wait=10)
    assert len(hooks.runs) == runs


def test_unexpected_failure_is_told_without_a_traceback(jobs: Jobs, hooks: Hooks) -> None:
    hooks.gate.set()
    hooks.outcome = lambda: {}["missing"]
    jobs.start("j", WORK)
    error = jobs.view("j", wait=10).error
    assert error is not None
    assert (error.code, error.seen) == ("internal", "KeyError: 'missing'")


def test_state_survives_the_agent_and_parameters_are_not_kept(
    jobs: Jobs, hooks: Hooks, tmp_path: Path
) -> None:
    hooks.gate.set()
    jobs.start("j", WORK)
    view = jobs.view("j", wait=10)
    (file,) = (tmp_path / "jobs").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert "secret" not in file.read_text()
    assert Jobs(tmp_path / "jobs", hooks.bind).view("j") == view


def test_job_of_a_dead_agent_is_interrupted_and_may_be_started_again(
    jobs: Jobs, hooks: Hooks, tmp_path: Path
) -> None:
    jobs.start("j", WORK)
    jobs.close()
    hooks.gate.set()
    after = Jobs(tmp_path / "jobs", hooks.bind)
    error = after.view("j").error
    assert error is not None
    assert (error.code, error.retryable) == ("interrupted", True)
    after.start("j", WORK)
    assert after.view("j", wait=10).state is JobState.SUCCEEDED


def test_damaged_state_is_as_if_the_job_were_never_started(tmp_path: Path, hooks: Hooks) -> None:
    (tmp_path / "j.json").write_text("{")
    assert Jobs(tmp_path, hooks.bind).view("j").state is JobState.NOT_STARTED


def test_idle_keeps_jobs_waiting_and_a_job_keeps_idle_away(jobs: Jobs, hooks: Hooks) -> None:
    with jobs.idle() as idle:
        assert idle
        jobs.start("j", WORK)
        assert hooks.runs == []
        with jobs.idle() as again:
            assert not again
    hooks.gate.set()
    assert jobs.view("j", wait=10).state is JobState.SUCCEEDED


@pytest.mark.parametrize("job_id", ["", "a/b", "x" * 129, "ä", "a b"])
def test_ids_that_are_refused(jobs: Jobs, job_id: str) -> None:
    with pytest.raises(BadRequest, match="job id"):
        jobs.start(job_id, WORK)
