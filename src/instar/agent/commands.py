"""The one way to run a program on the guest."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from instar.wire.errors import GuestError

ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "HOME": "/"}
"""All that a program inherits; nothing of the agent's own environment crosses."""
KEPT_OUTPUT = 1 << 20
TOLD_LINES = 12


def run(
    argv: Sequence[str | Path],
    *,
    timeout: float = 60.0,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    remedy: str = "",
) -> str:
    """Run a program to its end and give what it printed (both streams, at most the last MiB).

    `argv` and `env` may be seen by other users of the machine: no secrets in them. Raises GuestError with the
    exit status and the last lines; on a timeout the program and its children are killed first.
    """
    words = [os.fspath(word) for word in argv]
    name = Path(words[0]).name
    with tempfile.TemporaryFile() as output:
        process = _start(words, output, cwd, env)
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            _kill(process)
            raise GuestError(
                f"{name} did not end within {timeout:g} s",
                seen=_last_lines(output),
                remedy=remedy,
                retryable=True,
            ) from None
        if status != 0:
            raise GuestError(f"{name} failed with {_told(status)}", seen=_last_lines(output), remedy=remedy)
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


def _kill(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _told(status: int) -> str:
    return f"exit status {status}" if status > 0 else f"signal {signal.Signals(-status).name}"


def _read(output: IO[bytes]) -> str:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - KEPT_OUTPUT))
    return output.read().decode("utf-8", "replace")


def _last_lines(output: IO[bytes]) -> str:
    return "\n".join(_read(output).strip().splitlines()[-TOLD_LINES:])
