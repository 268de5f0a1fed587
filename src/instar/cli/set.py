"""`instar set`."""

import argparse
from typing import Any

from instar.cli._operation import Starting

_UNSAID: Any = object()


class SetInstance(Starting):
    """Say what an instance's owner wants: how long upgrades can be undone, who may reach the database."""

    example = """instar set demo --undo-window 3600
instar set demo --allow 10.0.0.0/8 --allow 192.0.2.7/32
instar set demo --allow-everybody"""

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        super().declare(parser)
        parser.add_argument("instance", help="its id or name")
        who = parser.add_mutually_exclusive_group()
        who.add_argument(
            "--allow", action="append", metavar="CIDR", help="who may reach the database; may be repeated"
        )
        who.add_argument(
            "--allow-everybody", dest="allow", action="store_const", const=[], help="take that back"
        )
        parser.add_argument(
            "--public",
            action=argparse.BooleanOptionalAction,
            help="whether it wants an address that can be reached from outside",
        )
        parser.add_argument(
            "--undo-window",
            metavar="SECONDS",
            default=_UNSAID,
            type=_window,
            help="how long its upgrades can be undone, from the next one on; `default`: as the settings say",
        )

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Run the command."""
        from instar.client.errors import BadRequest

        access = {"allowed_cidrs": parsed_args.allow} if parsed_args.allow is not None else {}
        access |= {"is_public": parsed_args.public} if parsed_args.public is not None else {}
        if not access and parsed_args.undo_window is _UNSAID:
            raise BadRequest("Nothing to change was named")
        if parsed_args.undo_window is not _UNSAID:
            self.client.instances.set_undo_window(parsed_args.instance, parsed_args.undo_window)
        if access and (operation := self.client.instances.set_access(parsed_args.instance, **access)):
            self.settle(operation, parsed_args.wait)
        self.say("Changed.")


def _window(text: str) -> float | None:
    try:
        return None if text == "default" else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number of seconds nor `default`") from None
