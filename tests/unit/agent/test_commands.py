import sys
import time
from pathlib import Path

import pytest

from instar.agent import commands
from instar.wire.errors import GuestError


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_gives_both_streams() -> None:
    text = commands.run(python("import sys; print('out', flush=True); print('err', file=sys.stderr)"))
    assert text == "out\nerr\n"


def test_output_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "KEPT_OUTPUT", 10)
    assert commands.run(python("print('x' * 100 + 'the end')")) == "xxthe end\n"


def test_failure_tells_program_status_and_last_lines() -> None:
    code = "import sys; [print('line', n, flush=True) for n in range(50)]; sys.exit('reason')"
    with pytest.raises(GuestError) as failed:
        commands.run(python(code), remedy="Do this.")
    body = failed.value.body
    assert body.brief == f"{Path(sys.executable).name} failed with exit status 1"
    assert ("line 49" in body.seen, "line 1\n" in body.seen, "reason" in body.seen) == (True, False, True)
    assert body.remedy == "Do this."


def test_line_that_tells_the_cause_comes_first() -> None:
    code = "print('setting up'); print('made: error: no room'); print('removing'); raise SystemExit(1)"
    with pytest.raises(GuestError) as failed:
        commands.run(python(code))
    assert failed.value.body.seen.splitlines() == ["made: error: no room", "setting up", "removing"]


def test_tick_learns_how_much_was_printed_and_may_end_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "TICK", 0.01)
    seen: list[int] = []

    def tick(printed: int) -> None:
        seen.append(printed)
        if printed:
            raise GuestError("enough")

    with pytest.raises(GuestError, match="enough"):
        commands.run(python("import time; print('x' * 9, flush=True); time.sleep(60)"), tick=tick)
    assert seen[-1] == 10


def test_missing_program_is_named() -> None:
    with pytest.raises(GuestError, match="/no/such/program could not be started"):
        commands.run(["/no/such/program"])


def test_timeout_ends_the_program_and_its_children(tmp_path: Path) -> None:
    code = f"""
import os, time
if os.fork() == 0:
    open({str(tmp_path / "child")!r}, "w").write(str(os.getpid()))
time.sleep(60)
"""
    with pytest.raises(GuestError, match=r"within 1 s") as failed:
        commands.run(python(code), timeout=1)
    assert failed.value.body.retryable
    child = Path(f"/proc/{(tmp_path / 'child').read_text()}/stat")
    deadline = time.monotonic() + 5
    while child.exists() and child.read_text().split()[2] != "Z":
        assert time.monotonic() < deadline


def test_the_agents_environment_does_not_cross(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "1")
    text = commands.run(python("import os; print(sorted(os.environ))"), env={"MORE": "1"})
    assert "SECRET" not in text
    assert "MORE" in text
