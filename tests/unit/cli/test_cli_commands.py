"""Every command has its file, its entry point and its example."""

import importlib
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from command_line import instar
from instar import cli
from instar.cli.main import InstarApp

ROOT = Path(__file__).parents[3]
DECLARED: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"][
    "instar.cli"
]
FILES = {path.stem for path in Path(cli.__path__[0]).glob("[a-z]*.py")} - {"main"}
OURS = sorted(name for name, target in DECLARED.items() if target.startswith("instar.cli."))


def _command(name: str) -> Any:
    module, _, attribute = DECLARED[name].partition(":")
    return getattr(importlib.import_module(module), attribute)(InstarApp(), None)


def test_every_file_is_a_command_and_every_command_has_its_file() -> None:
    assert set(OURS) == FILES
    assert all(DECLARED[name].startswith(f"instar.cli.{name}:") for name in OURS)


@pytest.mark.parametrize("name", OURS)
def test_the_example_in_the_help_is_understood(name: str) -> None:
    command = _command(name)
    spoken = name.replace("_", " ")
    parser = command.get_parser(f"instar {spoken}")
    assert command.get_description()
    assert command.get_epilog() in parser.format_help()
    examples = command.example.replace("\\\n", "").splitlines()
    starts = [line for line in examples if line.startswith(f"instar {spoken} ") or line == f"instar {spoken}"]
    assert starts
    for line in starts:
        parser.parse_args(shlex.split(line.removeprefix(f"instar {spoken}")))


@pytest.mark.parametrize("name", sorted(DECLARED))
def test_every_command_has_an_example(name: str) -> None:
    spoken = f"instar {name.replace('_', ' ')}"
    text = _command(name).get_parser(spoken).format_help()
    assert spoken in text.lower().partition("example")[2]


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",)])
def test_help_lists_the_commands(words: tuple[str, ...]) -> None:
    told = instar(*words)
    assert told.status == 0
    assert "instar complete" in told.out
    for name in OURS:
        assert f"\n  {name.replace('_', ' ')}" in told.out


def test_the_version_is_told() -> None:
    assert instar("--version").status == 0


def test_a_commands_own_version_option_is_not_the_programs() -> None:
    words = ("create", "demo", "--flavor", "1", "--volume-size", "1", "--version", "17.10")
    assert instar("--endpoint", "http://127.0.0.1:9", "--project", "p", "--token", "t", *words).status == 1


@pytest.mark.parametrize("words", [("lst",), ("upgrade",), ("--bogus", "list"), ("list", "--bogus")])
def test_what_is_not_understood_exits_with_2(words: tuple[str, ...]) -> None:
    assert instar(*words).status == 2


def test_the_help_loads_no_client() -> None:
    """What makes `instar --help` slow is imported when a command runs."""
    code = (
        "import sys; from instar.cli.main import InstarApp; InstarApp().print_help();"
        "sys.exit(', '.join({'pydantic', 'requests', 'keystoneauth1', 'rich'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
