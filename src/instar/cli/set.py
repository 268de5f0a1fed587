"""`instar set`."""

import argparse

from instar.cli._command import Command


class SetInstance(Command):
    """Change what an instance's owner wants of Instar."""

    example = "instar set demo --undo-window 3600"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("instance", help="its id or name")
        parser.add_argument(
            "--undo-window",
            metavar="SECONDS",
            required=True,
            type=_window,
            help="how long its upgrades can be undone, from the next one on; `default`: as the settings say",
        )

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Run the command."""
        self.client.instances.set_undo_window(parsed_args.instance, parsed_args.undo_window)
        self.say("Changed.")


def _window(text: str) -> float | None:
    try:
        return None if text == "default" else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number of seconds nor `default`") from None
