"""What a user sees when something is wrong."""

import json
from pathlib import Path

import pytest

from command_line import instar
from control_plane_stub import Answer, Stub, refusal
from instar.wire.ids import new_id

ID = new_id()


def test_an_error_and_its_remedy_are_on_stderr(control_plane: Stub) -> None:
    finding = {"check": "extensions", "severity": "block", "seen": "postgis is missing", "remedy": "Drop it"}
    control_plane.on(
        "GET",
        "/flavors",
        refusal(422, "unprocessableEntity", "busy", "In the way", remedy="Wait", findings=[finding]),
    )
    ran = instar("flavor", "list")
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.splitlines() == [
        "Error: In the way.",
        "  block: extensions: postgis is missing",
        "    Drop it",
        "Remedy: Wait",
    ]


def test_debug_shows_the_traceback_and_no_secret(control_plane: Stub) -> None:
    control_plane.on("POST", f"/instances/{ID}/users", refusal(400, "badRequest", "bad_request", "No"))
    words = ("user", "create", ID, "ann", "--password-file", "-")
    ran = instar("--debug", *words, stdin="a-secret-word\n")
    assert ran.status == 1
    assert "Traceback" in ran.err
    assert "a-secret-word" not in ran.out + ran.err
    assert "a-token-for-tests" not in ran.out + ran.err


def test_nobody_at_the_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = instar("--endpoint", "http://127.0.0.1:9", "--project", "p", "--token", "t", "list")
    assert ran.status == 1
    assert "http://127.0.0.1:9" in ran.err
    assert "Remedy: Is `instar serve` running?" in ran.err


def test_no_control_plane_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INSTAR_STATE_DIR", str(tmp_path))
    for word in ("ENDPOINT", "PROJECT", "TOKEN"):
        monkeypatch.delenv(f"INSTAR_{word}", raising=False)
    ran = instar("list")
    assert ran.status == 1
    assert str(tmp_path / "client.json") in ran.err


def test_a_refused_token_says_where_it_came_from(control_plane: Stub) -> None:
    control_plane.on("GET", "/instances", refusal(401, "unauthorized", "unauthorized", "Who are you"))
    ran = instar("list")
    assert ran.status == 1
    assert "INSTAR_TOKEN" in ran.err


@pytest.mark.parametrize("words", [("delete", ID), ("database", "delete", ID, "shop")])
def test_nothing_is_deleted_without_a_yes(control_plane: Stub, words: tuple[str, ...]) -> None:
    shown = {"id": ID, "name": "demo", "status": "ACTIVE", "operating_status": ""}
    control_plane.on("GET", f"/instances/{ID}", Answer({"instance": shown}))
    ran = instar(*words)
    assert ran.status == 1
    assert "--yes" in ran.err
    assert {one.method for one in control_plane.requests} <= {"GET"}


def test_a_password_has_to_come_from_somewhere(
    control_plane: Stub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("INSTAR_USER_PASSWORD", raising=False)
    assert "--password-file" in instar("user", "create", ID, "ann").err
    assert "can't be read" in instar("user", "create", ID, "ann", "--password-file", str(tmp_path)).err
    control_plane.on("POST", f"/instances/{ID}/users", Answer(status=202))
    monkeypatch.setenv("INSTAR_USER_PASSWORD", "from-the-environment")
    assert instar("user", "create", ID, "ann").status == 0
    file = tmp_path / "password"
    file.write_text("from-a-file\nsecond line\n")
    assert instar("user", "create", ID, "ann", "--password-file", str(file)).status == 0
    made = instar("user", "create", ID, "ann", "--generate-password", "-f", "json")
    sent = [one.body["users"][0]["password"] for one in control_plane.requests]
    assert sent == ["from-the-environment", "from-a-file", json.loads(made.out)["password"]]
