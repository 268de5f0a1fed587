from pathlib import Path

import pytest

from instar.agent.datastores.postgresql import access, configuration
from instar.wire.errors import BadRequest


def rules(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines() if line and not line.startswith("#")]


def test_first_matching_rule_decides_who_gets_in() -> None:
    ours = "instar_admin,instar_probe"
    socket = [["local", "all", ours, "trust"], ["local", "all", "all", "reject"]]
    assert rules(access.CLOSED) == [*socket, ["host", "all", "all", "all", "reject"]]
    assert rules(access.OPEN) == [
        *socket,
        ["host", "all", ours, "all", "reject"],
        ["host", "all", "all", "all", "scram-sha-256"],
    ]


def test_letting_in_is_read_from_the_file(tmp_path: Path) -> None:
    assert not access.is_open(tmp_path)
    access.write(tmp_path, access.CLOSED)
    assert not access.is_open(tmp_path)
    access.write(tmp_path, access.OPEN)
    assert access.is_open(tmp_path)


@pytest.mark.parametrize(("ram", "buffers"), [(None, 128), (64, 32), (2048, 512)])
def test_memory_defaults_follow_the_servers_size(ram: int | None, buffers: int) -> None:
    assert f"shared_buffers = '{buffers}MB'" in configuration.defaults(ram)


def test_values_are_quoted() -> None:
    text = configuration.values({"b": True, "a": "it's \\ fine", "my.ext": 3})
    assert text.splitlines()[1:] == ["a = 'it''s \\\\ fine'", "b = 'on'", "my.ext = '3'"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("a b", 1),
        ("a\nport", 1),
        ("", 1),
        ("a", "x\ny"),
        ("a", [1]),
        ("a", None),
        ("Include", "x"),
        ("include_dir", "x"),
    ],
)
def test_values_that_are_refused(name: str, value: object) -> None:
    with pytest.raises(BadRequest, match="configuration"):
        configuration.values({name: value})


def test_files_cross_to_a_new_directory_but_generated_ones(tmp_path: Path) -> None:
    old, saved, new = (tmp_path / name for name in ("old", "saved", "new"))
    (old / "conf.d").mkdir(parents=True)
    new.mkdir()
    for name in ("postgresql.conf", "postgresql.auto.conf", "instar.conf", "pg_hba.conf", "conf.d/own.conf"):
        (old / name).write_text(f"# {name} of old\n")
    (new / "postgresql.conf").write_text("# fresh\n")
    configuration.save(old, saved)
    configuration.save(old, saved)
    configuration.restore_missing(saved, new)
    assert (new / "postgresql.conf").read_text() == "# fresh\n"
    configuration.restore(saved, new)
    assert (new / "postgresql.conf").read_text() == "# postgresql.conf of old\n"
    assert (new / "conf.d/own.conf").exists()
    assert not (new / "pg_hba.conf").exists()


def test_values_take_the_place_of_those_before(tmp_path: Path) -> None:
    assert configuration.names(tmp_path) == set()
    given = {"Work_Mem": "7MB", "my.ext": 3}
    assert configuration.differs(tmp_path, given)
    configuration.replace(tmp_path, given)
    configuration.replace(tmp_path, None)
    assert configuration.names(tmp_path) == {"work_mem", "my.ext"}
    assert not configuration.differs(tmp_path, given)
    assert not configuration.differs(tmp_path, None)
    assert configuration.changing(tmp_path, {"jit": False}) == {"work_mem", "my.ext", "jit"}
    assert configuration.changing(tmp_path, None) == set()
    configuration.replace(tmp_path, {})
    assert configuration.names(tmp_path) == set()
