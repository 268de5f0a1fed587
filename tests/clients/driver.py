"""Runs in a client's own environment: one command line after the other, without starting Python for each.

Reads a JSON list for each command, the entry point and its arguments; answers with status and output.
"""

import contextlib
import importlib
import io
import json
import os
import sys
import traceback
from typing import Any


def run(entry: str, words: list[str]) -> dict[str, Any]:
    """Run a program's entry point as its script would."""
    module, _, name = entry.partition(":")
    out, err = io.StringIO(), io.StringIO()
    sys.argv = [module, *words]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = getattr(importlib.import_module(module), name)()
        except SystemExit as end:
            status = end.code
        except Exception:  # noqa: BLE001  # as the interpreter would end a script
            status = traceback.print_exc() or 1
    return {"status": int(status or 0), "out": out.getvalue(), "err": err.getvalue()}


def main() -> None:
    """Serve until the other end closes."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what slips past goes to the log, not among the answers
    for line in sys.stdin:
        entry, *words = json.loads(line)
        answers.write(json.dumps(run(entry, words)) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
