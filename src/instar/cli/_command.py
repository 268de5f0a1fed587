"""What all commands have: an example in their help, and the client."""

import argparse
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import cliff.command
import cliff.lister
import cliff.show

if TYPE_CHECKING:
    from instar.client import Client

Columns = tuple[Sequence[str], Iterable[Any]]
"""What cliff wants of lists and shows: the columns' names, and the rows or the one row."""


class Command(cliff.command.Command):
    """A command that prints nothing unless it has something to say; its docstring is its help."""

    example: ClassVar[str]
    """One command line, or several, that show it in use."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Declare the options all commands have, then this one's own."""
        parser = super().get_parser(prog_name)
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        parser.allow_abbrev = False  # `--password x` must not pass for `--password-file x`
        self.declare(parser)
        return parser

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""

    def get_epilog(self) -> str:
        """Give the example."""
        return "example:\n" + "\n".join(f"  {line}" for line in self.example.splitlines())

    @property
    def client(self) -> "Client":
        """The client, connected as the global options say."""
        app: Any = self.app
        client: Client = app.client
        return client

    def say(self, text: str) -> None:
        """Print a line for people, beside the output."""
        print(text, file=self.app.stderr)


class Lister(Command, cliff.lister.Lister):
    """A command that shows a list."""


class ShowOne(Command, cliff.show.ShowOne):
    """A command that shows one thing."""
