"""The one way to run a program on the guest."""

import contextlib
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from instar.agent import processes
from instar.wire.errors import GuestError

ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "HOME": "/"}
"""All that a program inherits; nothing of the agent's own environment crosses."""
KEPT_OUTPUT = 1 << 20
TOLD_LINES = 12
TICK = 1.0
"""Seconds between two ticks, longer when a tick itself takes long."""
_GRACE = 1.0
_DECISIVE = re.compile(r"\b(?:error|fatal|panic)\b[: ]|\bcould not\b|\bparameter \"", re.IGNORECASE)

LONGEST_BRIEF = 120
"""Letters of an error's first sentence: a short text is all that many a reader is shown."""

Tick = Callable[[int], None]
"""Called with how many bytes a program has printed so far; what it raises ends the program."""


class Failed(GuestError):
    """A program ended with another exit status than 0."""

    printed: str = ""
    """All that was kept of what it printed."""


def run(
    argv: Sequence[str | Path],
    *,
    timeout: float = 60.0,
    tick: Tick | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    remedy: str = "",
) -> str:
    """Run a program to its end and give what it printed (both streams, at most the last MiB).

    `argv` and `env` may be seen by other users of the machine: no secrets in them. Raises Failed with the
    exit status, the line that tells the cause, and the last lines. On a timeout
    (GuestError), or when `tick` raises, the program and its children are ended first. With a `tick` there is
    no timeout: it decides.
    """
    words = [os.fspath(word) for word in argv]
    name = Path(next(filter(os.path.isabs, words), words[0])).name  # of what `unshare` leads to
    with tempfile.TemporaryFile() as output:
        process = _start(words, output, cwd, env)
        try:
            ended = _wait(process.pid, output, tick) if tick else processes.wait(process.pid, timeout)
        except BaseException:
            _end(process)
            raise
        if not ended:
            _end(process)
            raise GuestError(
                f"{name} did not end within {timeout:g} s",
                seen=_told_by(output),
                remedy=remedy,
                retryable=True,
            )
        if status := process.wait():
            failed = Failed(f"{name} failed with {_told(status)}", seen=_told_by(output), remedy=remedy)
            failed.printed = _read(output)
            raise failed
        return _read(output)


def _start(
    words: list[str], output: IO[bytes], cwd: Path | None, env: Mapping[str, str] | None
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            words,
            cwd=cwd,
            env={**ENVIRONMENT, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise GuestError(
            f"{words[0]} could not be started",
            seen=error.strerror or str(error),
            remedy="See whether the image holds this program and the agent's user may run it.",
        ) from error


def _wait(pid: int, output: IO[bytes], tick: Tick) -> bool:
    pause = TICK
    while not processes.wait(pid, pause):
        began = time.monotonic()
        tick(os.fstat(output.fileno()).st_size)
        pause = max(TICK, 10 * (time.monotonic() - began))
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    """Interrupt the program, so that it can take back what it asked of others; then kill what is left."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
        processes.wait(process.pid, _GRACE)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _told(status: int) -> str:
    return f"exit status {status}" if status > 0 else f"signal {signal.Signals(-status).name}"


def _read(output: IO[bytes]) -> str:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - KEPT_OUTPUT))
    return output.read().decode("utf-8", "replace")


def _told_by(output: IO[bytes]) -> str:
    return decisive_first(_read(output))


def brief(text: str) -> str:
    """Cut an error's first sentence to what every reader is shown."""
    return text[:LONGEST_BRIEF]


def decisive_first(text: str) -> str:
    """Give the last lines of what a program printed, led by the first one of them that tells of an error."""
    lines = text.strip().splitlines()[-TOLD_LINES:]
    lines.sort(key=lambda line: _DECISIVE.search(line) is None)
    return "\n".join(lines)
