"""What the commands for images have in common: where images are, and how they tell how far they are."""

import argparse
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from instar.images import store
from instar.images.store import Progress

_SILENCE = 20.0
"""Seconds without a word, after which the last one is said again."""


def add_image_dir(parser: argparse.ArgumentParser) -> None:
    """Declare where images are kept."""
    default = store.default_image_dir()
    parser.add_argument(
        "--image-dir",
        type=Path,
        default=default,
        metavar="DIR",
        help=f"where images are kept (default {default})",
    )


@contextmanager
def telling(name: str) -> Iterator[Progress]:
    """Tell how far a command is: a live line on a terminal, else plain lines; on standard error."""
    if not sys.stderr.isatty():
        with _never_silent(lambda doing: print(f"{name}: {doing}", file=sys.stderr, flush=True)) as told:
            yield told
        return
    from rich.console import Console

    with Console(stderr=True).status(f"{name}: begun") as status:
        yield lambda doing: status.update(f"{name}: {doing}")


@contextmanager
def _never_silent(progress: Progress) -> Iterator[Progress]:
    """Say what has been told again while nothing new is."""
    last, moved, ended = "begun", threading.Event(), threading.Event()

    def told(doing: str) -> None:
        nonlocal last
        last = doing
        moved.set()
        progress(doing)

    def repeat() -> None:
        while not ended.is_set():
            if not moved.wait(_SILENCE):
                progress(f"{last}, still")
            moved.clear()

    threading.Thread(target=repeat, name="progress", daemon=True).start()
    try:
        yield told
    finally:
        ended.set()
        moved.set()
