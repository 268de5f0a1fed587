"""Machines with agents, for the datastores' contract suite."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from engines import Engine, PostgreSQL
from guest_machine import Machine, copy_library, free_address

from certificates import Authority


@pytest.fixture(scope="session")
def workplace() -> Iterator[Path]:
    """A directory that every uid may enter, with short paths."""
    path = Path(tempfile.mkdtemp(prefix="instar-guests-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def library(workplace: Path) -> Path:
    return copy_library(workplace / "library")


@pytest.fixture(scope="session")
def authority(workplace: Path) -> Authority:
    return Authority(workplace / "authority")


@pytest.fixture
def make_machine(workplace: Path, library: Path, authority: Authority) -> Iterator[Callable[..., Machine]]:
    """A function that makes machines; given another machine, one that takes its volume and address over."""
    made: list[Machine] = []
    place = Path(tempfile.mkdtemp(dir=workplace))
    place.chmod(0o755)

    def make(
        engine: Engine | int, before: Machine | None = None, older: tuple[int, ...] = (), **image: str
    ) -> Machine:
        """Make a machine with an engine; a number is a major version of PostgreSQL.

        `image` is what its image's manifest claims besides, such as glibc.
        """
        directory = place / str(len(made))
        directory.mkdir()
        volume = before.volume if before else place / "volume"
        address = before.address if before else free_address()
        found = PostgreSQL(major=engine, older=older) if isinstance(engine, int) else engine
        machine = Machine(directory, library, authority, found, volume, address, image=image).build()
        made.append(machine)
        return machine.boot()

    yield make
    for machine in made:
        machine.power_off()
        if os.environ.get("INSTAR_TEST_SHOW_CONSOLE"):
            print((machine.directory / "console.log").read_text())
    shutil.rmtree(place)
