"""The reference of the command line: one section for each command, made from its class."""

import argparse
import inspect
from collections.abc import Iterator
from typing import Any

import rst

from instar.cli.main import InstarApp
from instar.images.store import default_image_dir

_FOREIGN = {"complete", "help"}
_HEAD = """\
The command ``instar`` shows results as a table. ``-f json``, ``-f yaml``, ``-f csv`` (of lists), ``-f
value`` and ``-c COLUMN`` are for programs. It exits with 0 when the command succeeded, 1 when it failed, 2
when it was not understood, and 130 when it was interrupted. These options stand before the command:
"""
_TAIL = """\
Errors go to stderr: what happened, what was seen, and the remedy. ``instar complete`` prints the completion
for bash. Without options the control plane of this machine is found by the file ``client.json`` in its
state directory. ``INSTAR_STATE_DIR``, ``INSTAR_ENDPOINT``, ``INSTAR_PROJECT`` and ``INSTAR_TOKEN`` override
that, and ``--os-cloud``, ``OS_CLOUD`` or ``OS_AUTH_URL`` and its kin choose a control plane in an OpenStack
catalogue.
"""


def make() -> str:
    """Make the page's text."""
    app = InstarApp()
    app.options = argparse.Namespace()
    sections = [rst.heading("Command line"), _HEAD, "\n".join(_arguments(app.parser)), _TAIL]
    for name, entry in sorted(app.command_manager):
        if name not in _FOREIGN:
            sections.append(_section(name, entry.load()(app, None)))
    return "\n".join(section.rstrip() + "\n" for section in sections)


def _section(name: str, command: Any) -> str:
    text, _, example = inspect.cleandoc(command.__doc__ or "").partition("\n\nExample: ")
    example = example or getattr(command, "example", "")
    lines = [rst.heading(f"instar {name}", "-"), rst.prose(text), ""]
    if example:
        lines.append(rst.block("\n".join(_prompt(example)), "console"))
    return "\n".join([*lines, *_arguments(command.get_parser(f"instar {name}"))])


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
                told = f": {rst.prose(_anywhere(action.help))}" if action.help else ""
                yield f"- ``{_spelling(action)}``{told}"


def _anywhere(text: str) -> str:
    """Take out what holds on the machine of this build only."""
    return text.replace(str(default_image_dir()), "<state_dir>/images")


def _spelling(action: argparse.Action) -> str:
    if not action.option_strings:
        return str(action.metavar or action.dest) + ("..." if action.nargs == "+" else "")
    value = f" {action.metavar or action.dest.upper()}" if action.nargs != 0 else ""
    return ", ".join(action.option_strings) + value
