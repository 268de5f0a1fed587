"""The program `instar`."""

import argparse
import ast
import functools
import importlib.metadata
import importlib.util
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from cliff.app import App
from cliff.commandmanager import CommandManager

from instar import __version__
from instar.cli import _problems

if TYPE_CHECKING:
    from instar.client import Client

ENTRY_POINTS = "instar.cli"
_DESCRIPTION = """Create database instances and upgrade them by swapping their machine image.

Without options the control plane of this machine is used (see `instar serve`)."""
_EPILOG = """environment:
  INSTAR_STATE_DIR      where client.json of this machine's control plane is
  INSTAR_ENDPOINT, INSTAR_PROJECT, INSTAR_TOKEN   another control plane
  OS_CLOUD, or OS_AUTH_URL and its kin            a control plane in an OpenStack catalogue

shell completion:
  instar complete | sudo tee /etc/bash_completion.d/instar

`instar help COMMAND` tells of one command."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command: 0 when it succeeded, 1 when it failed, 2 when it was not understood."""
    return InstarApp().run(list(sys.argv[1:] if argv is None else argv))


class InstarApp(App):
    """The command line as a whole: global options, the list of commands, how errors are shown."""

    NAME = "instar"
    LOG = logging.getLogger(NAME)

    def __init__(
        self, stdin: TextIO | None = None, stdout: TextIO | None = None, stderr: TextIO | None = None
    ) -> None:
        super().__init__(_DESCRIPTION, __version__, _Commands(ENTRY_POINTS), stdin, stdout, stderr)

    def build_option_parser(
        self, description: str | None, version: str | None, argparse_kwargs: dict[str, Any] | None = None
    ) -> argparse.ArgumentParser:
        """Declare the global options."""
        parser = _Parser(
            prog=self.NAME,
            usage="%(prog)s [options] COMMAND ...",
            description=description,
            epilog=_EPILOG,
            add_help=False,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.add_argument("-h", "--help", action=_Help, nargs=0, app=self, help="show this help and exit")
        parser.add_argument("--version", action="version", version=f"{self.NAME} {version}")
        parser.add_argument("--endpoint", metavar="URL", help="the control plane, http://127.0.0.1:8779")
        parser.add_argument("--project", metavar="ID", help="whose instances")
        parser.add_argument(
            "--token", help="better in INSTAR_TOKEN: others on this machine can see a command line"
        )
        parser.add_argument(
            "--os-cloud", metavar="NAME", help="a cloud of clouds.yaml; identity is Keystone's"
        )
        parser.add_argument("--debug", action="store_true", help="show requests, and tracebacks of errors")
        parser.add_argument("command", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
        return parser

    @functools.cached_property
    def client(self) -> "Client":
        """Connect as the global options say."""
        from instar.cli._connect import connect

        return connect(self.options)

    def configure_logging(self) -> None:
        """Show warnings and errors on stderr, with --debug everything."""
        console = logging.StreamHandler(self.stderr)
        console.setFormatter(_problems.Formatter())
        root = logging.getLogger()
        root.handlers = [one for one in root.handlers if not isinstance(one.formatter, _problems.Formatter)]
        root.addHandler(console)
        root.setLevel(logging.DEBUG if self.options.debug else logging.WARNING)

    def run(self, argv: list[str]) -> int:
        """Run one command; without any, show the help."""
        return super().run(argv or ["--help"])

    def run_subcommand(self, argv: list[str]) -> int:
        """Run one command, or say that its part of Instar is not installed."""
        try:
            return super().run_subcommand(argv)
        except ImportError as error:
            self.LOG.error(
                "`instar %s` can't be loaded: %s\n"
                "Remedy: install its part: pip install 'instar[server]', or 'instar[images]' for images",
                " ".join(argv),
                error,
            )
            return 1

    def interact(self) -> None:
        """Show the help where options came without a command."""
        self.print_help()

    def print_help(self) -> None:
        """Print the global options and a line for each command."""
        self.parser.print_help(self.stdout)
        print("\ncommands:", file=self.stdout)
        for name, entry in sorted(self.command_manager):
            print(f"  {name:<22}{_summary(entry.value)}", file=self.stdout)


def _summary(target: str) -> str:
    """Read the first line of a class's docstring from its source: the programs take long to import."""
    module, _, name = target.partition(":")
    package, *rest = module.split(".")
    found = importlib.util.find_spec(package)
    folders = (found and found.submodule_search_locations) or []
    sources = [path for folder in folders if (path := Path(folder, *rest).with_suffix(".py")).is_file()]
    for node in [node for path in sources for node in ast.parse(path.read_text()).body]:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return (ast.get_docstring(node) or "").partition("\n")[0].rstrip(".")
    return ""


class _Commands(CommandManager):
    """The commands by their entry points, each imported when it is run and not before."""

    def load_commands(self, namespace: str) -> None:
        """Find the commands."""
        self.group_list.append(namespace)
        for entry in importlib.metadata.entry_points(group=namespace):
            self.commands[entry.name.replace("_", " ")] = entry


class _Parser(argparse.ArgumentParser):
    """Global options stand before the command: those behind it are the command's own."""

    def parse_known_args(self, *args: Any, **kwargs: Any) -> Any:
        """Give the global options, and the command with its arguments."""
        options, unknown = super().parse_known_args(*args, **kwargs)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return options, options.command


class _Help(argparse.Action):
    """Print the help of the whole program and leave."""

    def __init__(self, option_strings: Sequence[str], dest: str, *, app: InstarApp, **kwargs: Any) -> None:
        super().__init__(option_strings, dest, **kwargs)
        self._app = app

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        self._app.print_help()
        parser.exit()
