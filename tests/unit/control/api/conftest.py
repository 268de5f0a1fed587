"""What tests of the door ask for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from door import Door, make_door


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A door that the tests of a file share: it holds whatever they created."""
    made = make_door(tmp_path_factory.mktemp("door"), answer_timeout=0.2)
    yield made
    made.store.close()


@pytest.fixture
def own_door(tmp_path: Path) -> Iterator[Door]:
    """A door for one test alone."""
    made = make_door(tmp_path, answer_timeout=0.2)
    yield made
    made.store.close()
