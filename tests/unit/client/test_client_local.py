"""How the client finds the control plane of its machine."""

import json
from pathlib import Path

import pytest

from control_plane_stub import PROJECT, TOKEN, Answer, Stub
from instar.client import Client, errors


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for word in ("ENDPOINT", "PROJECT", "TOKEN"):
        monkeypatch.delenv(f"INSTAR_{word}", raising=False)
    monkeypatch.setenv("INSTAR_STATE_DIR", str(tmp_path))


def _write(directory: Path, stub: Stub) -> None:
    content = {"endpoint": stub.endpoint, "project": PROJECT, "token": TOKEN}
    (directory / "client.json").write_text(json.dumps(content))


def test_the_file_in_the_state_directory_is_enough(stub: Stub, tmp_path: Path) -> None:
    _write(tmp_path, stub)
    stub.on("GET", "/flavors", Answer({"flavors": []}))
    assert Client.local().flavors.list() == []
    assert Client.local(tmp_path).flavors.list() == []
    assert {one.headers["x-auth-token"] for one in stub.requests} == {TOKEN}


def test_the_environment_goes_before_the_file(
    stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(tmp_path, stub)
    monkeypatch.setenv("INSTAR_TOKEN", "another")
    stub.on("GET", "/flavors", Answer({"flavors": []}))
    Client.local().flavors.list()
    assert stub.requests[0].headers["x-auth-token"] == "another"


def test_the_files_token_is_not_sent_to_another_endpoint(stub: Stub, tmp_path: Path) -> None:
    _write(tmp_path, stub)
    with pytest.raises(errors.NotConfigured, match="another endpoint"):
        Client(endpoint="http://elsewhere.example:8779", project=PROJECT)


@pytest.mark.parametrize("content", [None, "{", "[]", "{}"])
def test_what_is_missing_is_named_with_the_places_it_was_looked_for(
    tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "client.json").write_text(content)
    with pytest.raises(errors.NotConfigured) as caught:
        Client.local()
    assert "INSTAR_TOKEN" in str(caught.value)
    assert str(tmp_path / "client.json") in str(caught.value)
    assert "instar serve" in caught.value.body.remedy
