"""What `plan` and `upgrade` have in common."""

import argparse


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare target and options."""
    parser.add_argument("instance", help="its id or name")
    parser.add_argument("datastore_version", help="id or name of the version to go to")
    parser.add_argument(
        "--method",
        choices=("link", "clone", "copy"),
        help="how PostgreSQL's data files cross a major version (default: link); MariaDB's do it in place",
    )
    parser.add_argument(
        "--snapshot",
        choices=("auto", "always", "never"),
        help="whether the volume's state is kept (auto: when the data format changes, or when it is instant)",
    )
    parser.add_argument(
        "--on-failure",
        choices=("error", "rollback"),
        help="whether a failure during the downtime waits for an operator or goes back onto the old image",
    )
    parser.add_argument(
        "--text-ordering",
        choices=("rebuild", "block", "warn"),
        help="what becomes of indexes over text that another glibc or ICU orders otherwise: rebuilt before "
        "clients are let in (the default), a reason to refuse, or left as they are",
    )
    parser.add_argument(
        "--strategy",
        choices=("auto", "rebuild", "replace"),
        help="rebuild the server, or boot another one beforehand that takes its place: less downtime, for "
        "one more server until the undo window closes (auto: replace where the provider can)",
    )
