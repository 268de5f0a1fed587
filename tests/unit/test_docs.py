"""Whatever a user or an author of plug-ins can meet stands in the documentation."""

import importlib
import re
import sys
import tomllib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from instar.agent import hooks
from instar.agent.datastores.base import Datastore
from instar.control import settings
from instar.control.api.routes import ROUTES
from instar.control.operations.stories import STORIES
from instar.wire import states

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
COMMANDS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["instar.cli"]


@pytest.fixture(scope="module", autouse=True)
def generators() -> Iterator[None]:
    sys.path.insert(0, str(DOCS))
    yield
    sys.path.remove(str(DOCS))


def page(name: str) -> str:
    """Make a generated page, as a build of the documentation does."""
    return str(importlib.import_module(f"generate_{name}").make())


def section(text: str, heading: str) -> str:
    """Give what stands under a heading, up to the next one of any level."""
    end = r"(?=^\S[^\n]*\n[-~]{2,}$|\Z)"
    found = re.search(rf"^{re.escape(heading)}\n([-~])\1+\n(.*?){end}", text, re.M | re.S)
    assert found, f"no section {heading}"
    return found[2].strip()


def test_every_command_is_described() -> None:
    text = page("cli")
    for name in COMMANDS:
        assert section(text, f"instar {name.replace('_', ' ')}")


def test_every_hook_is_described_with_the_way_to_reach_it() -> None:
    text = page("hooks")
    named = [name for name, value in vars(Datastore).items() if callable(value) and not name.startswith("_")]
    assert set(named) >= {*hooks.JOBS, *hooks.CALLS}
    for name in named:
        told = section(text, name)
        assert not told.startswith(":Reached")
        assert ("PUT /jobs/" in told) == (name in hooks.JOBS)
        assert (f"/calls/{name}" in told) == (name in hooks.CALLS)


def test_every_route_is_described() -> None:
    text = page("rest")
    for route in ROUTES:
        assert f":Answer: {route.status}" in section(text, f"{route.method} {route.template}")


def test_every_setting_is_described() -> None:
    text = page("settings")
    for name, options in settings.list_opts():
        told = section(text, f"[{name or 'DEFAULT'}]")
        for option in options:
            assert re.search(rf"^``{option.name}``\n   \S", told, re.M)


def test_every_status_word_is_described() -> None:
    text = page("states")
    for kind in ("InstanceStatus", "ServiceStatus", "OperationState", "StepState", "Stretch", "JobState"):
        told = section(text, kind)
        for word in getattr(states, kind):
            assert re.search(rf"\* - {re.escape(f'``{word}``' if word else '(empty)')}\n     - \S", told)


def test_every_step_is_in_its_operations_diagram() -> None:
    text = page("states")
    for story in STORIES.values():
        drawn = section(text, story.kind)
        told = re.findall(r"(\w+) +patience", drawn)
        assert told == [step.name for step in chain(story.steps, *story.ways_back)]


def test_every_decision_is_in_the_index() -> None:
    told = (DOCS / "decisions/index.rst").read_text()
    for record in sorted((DOCS / "decisions").glob("[0-9]*.md")):
        assert f".. literalinclude:: {record.name}\n" in told
        assert f"\n{record.read_text().splitlines()[0].removeprefix('# ')}\n---" in told


def test_compatibility_tells_of_what_is_and_what_is_not_served() -> None:
    text = page("compatibility")
    assert "* - ``PATCH /instances/{id}``\n     - served, 202\n" in text
    assert "* - ``POST /backups``\n     - 501\n" in text
    assert "* - ``resize``\n     - served, 202\n" in text
    assert "* - ``migrate``\n     - 501\n" in text
    assert "404" not in text
