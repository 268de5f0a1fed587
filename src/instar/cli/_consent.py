"""The consent to lose writes, as both commands take it that may go back to a snapshot."""

import argparse


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the option."""
    parser.add_argument(
        "--discard-writes-since",
        metavar="TIME",
        help="accept to lose what clients have written since then; the refusal names the time",
    )
