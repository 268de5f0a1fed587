"""Passwords of database users: from a file, the environment, a prompt, or made here; never an argument."""

import argparse
import getpass
import os
import secrets
from pathlib import Path

from instar.cli._command import Command

VARIABLE = "INSTAR_USER_PASSWORD"


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare where the password comes from."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--password-file",
        metavar="FILE",
        help=f"read the password from a file's first line (- is stdin); else {VARIABLE}, else a prompt",
    )
    group.add_argument("--generate-password", action="store_true", help="make a password and show it once")


def read(command: Command, parsed_args: argparse.Namespace, whose: str) -> str:
    """Give the password. Raises BadRequest when there is nowhere to take it from."""
    from instar.client.errors import BadRequest

    if parsed_args.generate_password:
        return secrets.token_urlsafe(18)
    if parsed_args.password_file:
        return _first_line(command, parsed_args.password_file)
    if password := os.environ.get(VARIABLE):
        return password
    if command.app.stdin.isatty():
        return getpass.getpass(f"Password of {whose}: ")
    raise BadRequest(
        f"No password for {whose}",
        remedy=f"Give --password-file or --generate-password, or set {VARIABLE}.",
    )


def _first_line(command: Command, file: str) -> str:
    from instar.client.errors import BadRequest

    if file == "-":
        return command.app.stdin.readline().rstrip("\r\n")
    try:
        return Path(file).read_text().partition("\n")[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"--password-file {file} can't be read", seen=type(error).__name__) from error
