"""Privilege separation: the agent and its database run as an ordinary user, and one process stays root.

That process, a fork made before anything else happens, does nothing but take and release the volume when the
agent asks for it over a socket pair, a line of JSON each way; it ends with the agent.
"""

import json
import logging
import os
import pwd
import signal
import socket
import threading

from instar.agent.volume import Volume
from instar.wire.errors import ErrorBody, GuestError, InstarError

_log = logging.getLogger(__name__)


def drop(volume: Volume, user: str) -> Volume:
    """Become the user; gives the volume as that user can take it. Raises GuestError for an unknown user."""
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise GuestError(
            f"There is no user {user!r}", remedy="Name a user that the image has with --user."
        ) from None
    asking, answering = socket.socketpair()
    if os.fork() == 0:
        asking.close()
        _serve(answering, volume)
    answering.close()
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    return _Asked(volume, asking)


def _serve(asked: socket.socket, volume: Volume) -> None:
    """Answer until the agent is gone; signals are the agent's business."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    lines = asked.makefile("r", encoding="utf-8")
    for line in lines:
        asked.sendall(_answer(volume, json.loads(line)).encode() + b"\n")
    os._exit(0)


def _answer(volume: Volume, wanted: dict[str, object]) -> str:
    try:
        if wanted["do"] == "take":
            volume.take(new=bool(wanted["new"]), patience=float(str(wanted["patience"])))
        else:
            volume.release()
    except InstarError as error:
        return error.body.model_dump_json()
    except OSError as error:
        seen = str(error)
        return GuestError("The data volume failed", seen=seen, retryable=True).body.model_dump_json()
    return ""


class _Asked:
    """A volume that another process takes and releases; looked at directly."""

    def __init__(self, volume: Volume, asking: socket.socket) -> None:
        self._volume, self._asking = volume, asking
        self._answers = asking.makefile("r", encoding="utf-8")
        self._turn = threading.Lock()

    def take(self, *, new: bool, patience: float) -> None:
        """Have it taken."""
        self._ask({"do": "take", "new": new, "patience": patience})

    def check(self) -> None:
        """Look at it."""
        self._volume.check()

    def is_there(self) -> bool:
        """Look whether there is one."""
        return self._volume.is_there()

    def release(self) -> None:
        """Have it released."""
        self._ask({"do": "release"})

    @property
    def is_released(self) -> bool:
        """Tell whether it was let go of."""
        return self._volume.is_released

    def _ask(self, wanted: dict[str, object]) -> None:
        with self._turn:
            try:
                self._asking.sendall(json.dumps(wanted).encode() + b"\n")
                answer = self._answers.readline()
            except OSError:
                answer = ""
        if not answer:
            _log.error("the process that takes the volume has ended; so does the agent, to be started again")
            os._exit(1)
        if answer.strip():
            raise InstarError.from_body(ErrorBody.model_validate_json(answer))
