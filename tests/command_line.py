"""The program `instar` in this process: a command line in, exit status and both outputs out."""

import io
import json
from dataclasses import dataclass
from typing import Any

from instar.cli.main import InstarApp


@dataclass
class Ran:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Read the output as JSON: there is nothing else on it."""
        return json.loads(self.out)


def instar(*words: str, stdin: str = "") -> Ran:
    """Run one command."""
    out, err = io.StringIO(), io.StringIO()
    try:
        status = InstarApp(io.StringIO(stdin), out, err).run(list(words))
    except SystemExit as left:
        status = int(left.code or 0)
    return Ran(status, out.getvalue(), err.getvalue())
