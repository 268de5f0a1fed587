"""An agent that was started as root: an ordinary user from the start, while its volume is still mounted."""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: privileges are dropped")

NOBODY = 65534
PROGRAM = """\
import json, os, sys
from pathlib import Path
from instar.agent import privilege
from instar.wire.errors import GuestError

class Recorder:
    # A volume that notes down who takes it.
    is_released = False
    def take(self, *, new, patience):
        if not new:
            raise GuestError("The data volume is blank", seen="zeros", retryable=True)
        print(json.dumps([os.getpid(), os.getuid(), new, patience]), flush=True)
    def check(self): pass
    def release(self): print(json.dumps("released"), flush=True)

volume = privilege.drop(Recorder(), sys.argv[1])
volume.take(new=True, patience=1.5)
try:
    volume.take(new=False, patience=0)
except GuestError as error:
    refused = error.body.model_dump()
groups = [os.getresuid(), os.getresgid(), os.getgroups()]
print(json.dumps({"pid": os.getpid(), "ids": groups, "refused": refused}), flush=True)
volume.release()
if sys.argv[2:]:
    os.kill(int(json.loads(Path("/proc/self/task/%d/children" % os.getpid()).read_text())), 9)
    volume.release()
"""


def run(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *words], capture_output=True, text=True, timeout=60, check=False
    )


def test_root_takes_the_volume_for_an_agent_that_is_nobody() -> None:
    said = run("nobody")
    assert said.returncode == 0, said.stderr
    (pid, *took), told, released = map(json.loads, said.stdout.splitlines())
    assert told["ids"] == [[NOBODY] * 3, [NOBODY] * 3, []]
    assert took == [0, True, 1.5]
    assert pid != told["pid"]
    assert (told["refused"]["brief"], told["refused"]["retryable"]) == ("The data volume is blank", True)
    assert released == "released"


def test_an_agent_without_its_root_process_ends_to_be_started_again() -> None:
    said = run("root", "killed")
    assert said.returncode == 1
    assert "has ended" in said.stderr


def test_a_user_that_the_image_lacks_is_told() -> None:
    said = run("no-such-user")
    assert "no-such-user" in said.stderr.splitlines()[-1]
