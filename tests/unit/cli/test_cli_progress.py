"""What --wait shows, and what it leaves when it is interrupted."""

import _thread
import io
import signal
import time
from collections.abc import Iterator

import pytest

from command_line import instar
from control_plane_stub import Answer, Request, Stub, event
from instar.cli._progress import shown_on, summary
from instar.wire.ids import new_id
from instar.wire.rest import Operation

ID, INSTANCE = new_id(), new_id()
STEPS = [
    {"name": "preflight", "stretch": "prepare", "state": "DONE", "seconds": 0.12},
    {"name": "stage", "stretch": "prepare", "state": "DONE", "seconds": 1.5},
]


def operation(state: str, **more: object) -> dict[str, object]:
    shown = {"id": ID, "kind": "upgrade", "instance_id": INSTANCE, "instance_name": "demo", "state": state}
    return {**shown, "created": "2026-01-01T00:00:00", **more}


def _upgrade(control_plane: Stub, events: Answer, *seen: dict[str, object]) -> None:
    control_plane.on(
        "PATCH", f"/instances/{INSTANCE}", Answer(status=202, headers={"X-Instar-Operation": ID})
    )
    control_plane.on("GET", f"/operations/{ID}", *(Answer({"operation": one}) for one in seen))
    control_plane.on("GET", f"/operations/{ID}/events", events)


def test_each_step_has_its_line_and_the_end_its_summary(control_plane: Stub) -> None:
    parts = [
        event(1, "trove.upgrade.start", ID),
        event(2, "step", ID, step="preflight", outcome="started"),
        event(3, "step", ID, step="preflight", outcome="done", seconds=0.12),
        event(4, "trove.upgrade.end", ID),
    ]
    done = operation("SUCCEEDED", seconds=2.0, downtime_seconds=0.5, steps=STEPS)
    _upgrade(control_plane, Answer(stream=lambda request: iter(parts)), operation("OPEN"), done)
    ran = instar("upgrade", INSTANCE, "18.6", "--wait", "-f", "json")
    assert ran.status == 0
    assert [line.split() for line in ran.err.splitlines()] == [
        ["preflight", "done", "0.12", "s"],
        ["stage", "done", "1.50", "s"],
        ["upgrade", "of", "demo", "succeeded", "after", "2.00", "s,", "downtime", "0.50", "s"],
    ]
    assert ran.json["state"] == "SUCCEEDED"


def test_a_failed_step_is_shown_and_the_exit_status_is_1(control_plane: Stub) -> None:
    parts = [
        event(1, "step", ID, step="rebuild", outcome="fail", seconds=3.0),
        event(2, "trove.upgrade.error", ID),
    ]
    failed = operation("FAILED", step="rebuild", error={"code": "provider", "brief": "No"}, verbs=["resume"])
    _upgrade(control_plane, Answer(stream=lambda request: iter(parts)), operation("OPEN"), failed)
    ran = instar("upgrade", INSTANCE, "18.6", "--wait")
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.splitlines()[0].split() == ["rebuild", "failed", "3.00", "s"]
    assert f"instar operation resume {ID} --wait" in ran.err


@pytest.mark.parametrize(
    ("code", "came_back", "told"),
    [
        ("aborted", False, "upgrade of demo was aborted after 2.00 s"),
        ("aborted", True, "upgrade of demo was aborted and taken back after 2.00 s"),
        ("guest", True, "upgrade of demo failed and was taken back after 2.00 s"),
        ("guest", False, "upgrade of demo failed after 2.00 s"),
    ],
)
def test_the_summary_tells_what_became_of_the_instance(code: str, came_back: bool, told: str) -> None:
    error = {"code": code, "brief": "No"}
    ended = operation("FAILED", seconds=2.0, error=error, came_back=came_back)
    assert summary(Operation.model_validate(ended)) == told


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """Have SIGINT raise KeyboardInterrupt, also where the tests run in the background and it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
def test_an_interrupt_leaves_the_operation_and_says_so(control_plane: Stub) -> None:
    def interrupts(request: Request) -> Iterator[bytes]:
        yield event(1, "trove.upgrade.start", ID)
        _thread.interrupt_main()
        for _ in range(300):
            time.sleep(0.01)
            yield b": still here\n\n"
        yield event(2, "trove.upgrade.end", ID)

    _upgrade(control_plane, Answer(stream=interrupts), operation("OPEN"), operation("SUCCEEDED"))
    ran = instar("upgrade", INSTANCE, "18.6", "--wait")
    assert ran.status == 130
    assert f"goes on in the control plane. Follow it: instar operation show {ID}" in ran.err
    assert "Traceback" not in ran.err


def test_a_terminal_shows_what_is_going_on() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    with shown_on(out) as progress:
        progress.ended(Operation.model_validate(operation("SUCCEEDED", steps=STEPS)))
    assert "preflight        done" in out.getvalue()
    assert "upgrade of demo succeeded" in out.getvalue()
