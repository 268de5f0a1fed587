"""Writes docs/reference/cli.md: one section for each command, made from its class.

python docs/generate_cli.py          write the page
python docs/generate_cli.py --check  exit with 1 when the page is not what would be written
"""

import argparse
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from instar.cli.main import InstarApp

PAGE = Path(__file__).parent / "reference" / "cli.md"
_FOREIGN = {"complete", "help"}
_HEAD = """# Command line

The command `instar` shows results as a table; `-f json`, `-f yaml`, `-f csv` (of lists), `-f value` and
`-c COLUMN` are for programs. It exits with 0 when the command succeeded, 1 when it failed, 2 when it was not
understood, and 130 when it was interrupted. Options of this list stand before the command:
"""
_TAIL = """\
Errors go to stderr: what happened, what was seen, and the remedy. `instar complete` prints the completion for
bash. Without options the control plane of this machine is found by the file `client.json` in its state
directory; `INSTAR_STATE_DIR`, `INSTAR_ENDPOINT`, `INSTAR_PROJECT` and `INSTAR_TOKEN` override that, and
`--os-cloud`, `OS_CLOUD` or `OS_AUTH_URL` and its kin choose a control plane in an OpenStack catalogue.
"""


def main() -> int:
    """Write the page, or compare it."""
    page = make()
    if "--check" in sys.argv[1:]:
        return 0 if PAGE.exists() and PAGE.read_text() == page else 1
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page)
    return 0


def make() -> str:
    """Make the page's text."""
    app = InstarApp()
    app.options = argparse.Namespace()
    sections = [_HEAD, "\n".join(_arguments(app.parser)), _TAIL]
    for name, entry in sorted(app.command_manager):
        if name not in _FOREIGN:
            sections.append(_section(name, entry.load()(app, None)))
    return "\n".join(section.rstrip() + "\n" for section in sections)


def _section(name: str, command: Any) -> str:
    parser = command.get_parser(f"instar {name}")
    lines = [f"## instar {name}", "", inspect.cleandoc(command.__doc__ or ""), ""]
    if example := getattr(command, "example", ""):
        lines += ["```console", *_prompt(example), "```", ""]
    return "\n".join([*lines, *_arguments(parser)])


def _prompt(example: str) -> Iterator[str]:
    continued = False
    for line in example.splitlines():
        yield line if continued else f"$ {line}"
        continued = line.endswith("\\")


def _arguments(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Give a line for each argument of the command's own; the formatters' are in groups of theirs."""
    for group in parser._action_groups[:2]:
        for action in group._group_actions:
            if action.help != argparse.SUPPRESS and "--help" not in action.option_strings:
                yield f"- `{_spelling(action)}`: {action.help}" if action.help else f"- `{_spelling(action)}`"


def _spelling(action: argparse.Action) -> str:
    if not action.option_strings:
        return str(action.metavar or action.dest) + ("..." if action.nargs == "+" else "")
    value = f" {action.metavar or action.dest.upper()}" if action.nargs != 0 else ""
    return ", ".join(action.option_strings) + value


if __name__ == "__main__":
    sys.exit(main())
