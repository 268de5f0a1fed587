"""Starting machines: processes of their own, which outlive the control plane."""

import contextlib
import os
import subprocess
from pathlib import Path

from instar.control.providers.directories import records
from instar.control.providers.local import machines
from instar.control.providers.local.machine import supervisor, takeover
from instar.control.providers.local.machine.lock import MachineLock
from instar.wire.errors import ProviderError

_PROGRAM = (
    "import sys; sys.path.append(sys.argv.pop(1)); "
    "from providers.local.machine.supervisor import main; main()"
)
_ROOM = Path(__file__).parents[2]
"""Where an interpreter without site packages finds our package `providers`."""
_TIMEOUT = 30.0


class Booter:
    """Starts machines in a bare `interpreter`: no site packages, nothing of our environment."""

    def __init__(self, interpreter: str) -> None:
        self._interpreter = interpreter

    def boot(self, server: Path, boot: int) -> None:
        """See to it that a machine has claimed this boot; what it does from there, it does by itself.

        The caller holds the server's lock.
        """
        if machines.has_claimed(server, boot) or _is_handed_over(server, boot):
            return
        with (server / "console.log").open("a") as console:
            ended = subprocess.run(
                [
                    self._interpreter,
                    "-I",
                    "-S",
                    "-c",
                    _PROGRAM,
                    str(_ROOM),
                    str(server),
                    str(boot),
                ],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                cwd="/",
                env={"PATH": os.defpath, "LANG": "C.UTF-8"},
                start_new_session=True,
                check=False,
                timeout=_TIMEOUT,
            )
        if ended.returncode:
            raise ProviderError(
                "The machine of a server did not start",
                seen=f"exit status {ended.returncode}; its words are in {server}/console.log",
                remedy=f"see that {self._interpreter} runs",
                retryable=True,
            )


def _is_handed_over(server: Path, boot: int) -> bool:
    machine = records.glimpse(server / "machine.json")
    with contextlib.closing(MachineLock(server)) as lock:
        return (
            machine is not None and machine.get("v") == supervisor.VERSION and takeover.hand_over(lock, boot)
        )
