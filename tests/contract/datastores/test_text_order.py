"""The order of text: indexes that another library orders otherwise find what they should, or it is told.

The images of these tests claim other releases of glibc over the same programs. A function under an index
stands for what changes with the library: what it gives for a text is another thing afterwards.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from guest_machine import USER, Machine, connect, wait_for
from test_crossing import target

from instar.wire.errors import GuestError, Vetoed

Make = Callable[..., Machine]
OLD, NEW = {"glibc": "2.31"}, {"glibc": "2.36"}
"""Releases between which even C.UTF-8 was not the same everywhere, the one locale that any machine has."""
ROWS = 500
KINDS = ("plain", "domain", "range", "gist", "record", "json", "array", "brin", "condition", "expression")


def made(make_machine: Make, engine: int = 17, rows: int = ROWS, indexes: int = 1) -> Machine:
    machine = make_machine(engine, **OLD)
    machine.job("create", "prepare", databases=[{"name": "app"}], users=[USER])
    machine.call("enable_root", password="secret-root")
    admin(
        machine,
        "CREATE FUNCTION sorts(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT $1'",
        'CREATE TABLE texts (n int, s text COLLATE "C.utf8")',
        f"INSERT INTO texts SELECT n, md5(n::text) FROM generate_series(1, {rows}) AS n",
        *(f"CREATE UNIQUE INDEX sorted_{each} ON texts (sorts(s), n)" for each in range(indexes)),
        "CREATE INDEX numbered ON texts (n)",
    )
    return machine


def admin(machine: Machine, *statements: str) -> None:
    with connect(machine, "root", "secret-root") as client:
        for statement in statements:
            client.execute(statement.encode())


def turn(machine: Machine) -> None:
    """Let the library order text otherwise from now on."""
    admin(
        machine,
        "CREATE OR REPLACE FUNCTION sorts(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT reverse($1)'",
    )


def leave(machine: Machine, engine: int = 17, **params: Any) -> dict[str, Any]:
    info = machine.job("pre", "pre_upgrade", **target(engine), target_glibc=NEW["glibc"], **params)
    machine.power_off()
    return info


def move(
    machine: Machine, make_machine: Make, engine: int = 17, **params: Any
) -> tuple[Machine, dict[str, Any]]:
    """Move onto the new image, where text is ordered otherwise; gives the server and what it was told."""
    turn(machine)
    info = leave(machine, engine, **params)
    new = make_machine(engine, before=machine, older=(17,) if engine != 17 else (), **NEW)
    return new, new.arrive("post", upgrade_info=info, **params)


def found(machine: Machine) -> int:
    """Count the rows that an index finds."""
    with connect(machine, "root", "secret-root") as client:
        for way in ("seqscan", "hashjoin", "mergejoin", "bitmapscan"):
            client.execute(f"SET enable_{way} = off".encode())
        row = client.execute(
            "SELECT count(*) FROM generate_series(1, 500) AS number"
            " WHERE EXISTS (SELECT FROM texts WHERE sorts(s) = sorts(md5(number::text)))"
        ).fetchone()
    assert row is not None
    return int(row[0])


def seen(findings: list[dict[str, Any]], check: str = "text_ordering") -> str:
    return "; ".join(each["seen"] for each in findings if each["check"] == check)


def note(machine: Machine, engine: int = 17) -> dict[str, Any]:
    path = machine.volume / f"postgresql/{engine}/instar_text_ordering.json"
    return dict(json.loads(path.read_text()))


def untouched(machine: Machine) -> list[Path]:
    """Find the files of indexes that are noted, and have not been rebuilt since, or only just now."""
    base = machine.volume / "postgresql/17/base"
    files = [str(file) for each in note(machine)["files"].values() for file in each.values()]
    return [path for path in base.glob("*/*") if path.name in files and path.stat().st_size]


def rebuilding(machine: Machine) -> bool:
    noted = [*note(machine)["files"].values()]
    return bool(noted) and 0 < len(untouched(machine)) < sum(map(len, noted))


@pytest.mark.parametrize("engine", [17, 18])
def test_indexes_are_rebuilt_before_clients_are_let_in(make_machine: Make, engine: int) -> None:
    machine = made(make_machine)
    assert found(machine) == ROWS
    new, told = move(machine, make_machine, engine)
    assert told["text_ordering"]["indexes"] == ["app: public.sorted_0 on public.texts"]
    assert told["text_ordering"]["bytes"] > 0
    assert told["findings"] == []
    assert found(new) == ROWS
    assert note(new, engine) == {"by": {"libc": ["2.36"]}, "towards": {}, "files": {}}


def test_without_a_rebuild_rows_are_not_found_and_the_record_says_so(make_machine: Make) -> None:
    new, told = move(made(make_machine), make_machine, text_ordering="warn")
    assert told["text_ordering"]["count"] == 0
    assert "public.sorted_0" in seen(told["findings"])
    assert found(new) < ROWS
    assert note(new)["by"] == {"libc": ["2.31", "2.36"]}
    again = new.call("check_upgrade", **target(17), target_glibc="2.36")
    assert [each["index"] for each in again["facts"]["indexes_at_risk"]] == ["public.sorted_0"]
    next_one = make_machine(17, before=new, **NEW) if leave(new) else None
    assert next_one is not None
    told = next_one.arrive("next", upgrade_info={})
    assert told["text_ordering"]["count"] == 1
    assert found(next_one) == ROWS


def test_policy_block_leaves_the_old_image_serving(make_machine: Make) -> None:
    machine = made(make_machine)
    wanted = {**target(17), "target_glibc": "2.36", "text_ordering": "block"}
    (finding,) = machine.call("check_upgrade", **wanted)["findings"]
    assert (finding["check"], finding["severity"]) == ("text_ordering", "block")
    with pytest.raises(Vetoed, match="text_ordering"):
        machine.job("pre", "pre_upgrade", **wanted)
    assert machine.status() == "HEALTHY"
    admin(machine, "DROP TABLE texts")
    assert machine.call("check_upgrade", **wanted)["findings"] == []


@pytest.mark.parametrize("let_in", [True, False])
def test_the_way_back_rebuilds_what_was_reordered(make_machine: Make, let_in: bool) -> None:
    machine = made(make_machine)
    turn(machine)
    info = leave(machine)
    new = make_machine(17, before=machine, **NEW)
    new.job("post", "post_upgrade", upgrade_info=info)
    if let_in:
        new.job("start", "start")
        admin(
            new,
            "CREATE OR REPLACE FUNCTION sorts(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT $1'",
        )
        new.job("leave", "pre_upgrade", **target(17), rolling_back=True)
    new.power_off()
    back = make_machine(17, before=new, **OLD)
    told = back.job("back", "come_back")
    assert told["text_ordering"]["indexes"] == ["app: public.sorted_0 on public.texts"]
    assert found(back) == ROWS
    assert note(back)["by"] == {"libc": ["2.31"]}


def test_the_way_back_leaves_alone_what_nobody_has_touched(make_machine: Make) -> None:
    machine = made(make_machine)
    leave(machine)
    new = make_machine(17, before=machine, **NEW)
    new.power_off()
    back = make_machine(17, before=new, **OLD)
    assert back.job("back", "come_back")["text_ordering"]["count"] == 0
    assert found(back) == ROWS


@pytest.mark.parametrize("onwards", [True, False])
def test_a_rebuild_that_was_killed_goes_on_with_the_rest_or_takes_back_what_it_did(
    make_machine: Make, onwards: bool
) -> None:
    machine = made(make_machine, rows=20000, indexes=12)
    info = leave(machine)
    new = make_machine(17, before=machine, **NEW)
    new.start_job("post", "post_upgrade", upgrade_info=info)
    wait_for(lambda: rebuilding(new), "a rebuilt index")
    new.power_off()
    left = len(untouched(new))
    if onwards:
        new.boot()
        told = new.arrive("again", upgrade_info=info)
        assert 0 < told["text_ordering"]["count"] <= left
    else:
        new = make_machine(17, before=new, **OLD)
        told = new.job("back", "come_back")
        assert 12 - left <= told["text_ordering"]["count"] < 12
    assert note(new) == {"by": {"libc": ["2.36" if onwards else "2.31"]}, "towards": {}, "files": {}}
    assert found(new) == ROWS


def test_another_image_lets_nobody_in_unasked(make_machine: Make) -> None:
    machine = made(make_machine)
    machine.power_off()
    new = make_machine(17, before=machine, **NEW)
    wait_for(lambda: new.status() == "FAILED", "the word of the agent")
    with pytest.raises(psycopg.OperationalError):
        connect(new)
    new.power_off()
    back = make_machine(17, before=new, **OLD)
    wait_for(lambda: back.status() == "HEALTHY", "the database")


def test_duplicates_that_came_in_meanwhile_are_named_and_a_resume_lets_them_be(make_machine: Make) -> None:
    new, _ = move(made(make_machine), make_machine, text_ordering="warn")
    admin(new, "INSERT INTO texts SELECT * FROM texts")
    info = leave(new)
    after = make_machine(17, before=new, **NEW)
    with pytest.raises(GuestError, match="sorted_0") as raised:
        after.job("post", "post_upgrade", upgrade_info=info)
    assert [each.check for each in raised.value.body.findings] == ["duplicates"]
    assert "md5" not in str(raised.value.body.model_dump())
    told = after.arrive("resumed", upgrade_info=info, resumed=True)
    assert "sorted_0" in seen(told["findings"], "duplicates")
    assert note(after)["by"] == {"libc": ["2.31", "2.36"]}


def test_rows_in_wrong_partitions_are_told_before_clients_are_let_in(make_machine: Make) -> None:
    machine = made(make_machine)
    admin(
        machine,
        """CREATE TABLE parts (s text COLLATE "C.utf8") PARTITION BY RANGE (sorts(s))""",
        "CREATE TABLE parts_a PARTITION OF parts FOR VALUES FROM ('a') TO ('m')",
        "CREATE TABLE parts_z PARTITION OF parts DEFAULT",
        "INSERT INTO parts VALUES ('ab'), ('az')",
    )
    turn(machine)
    info = leave(machine)
    new = make_machine(17, before=machine, **NEW)
    with pytest.raises(GuestError, match=r"1 rows of partition public\.parts_a"):
        new.job("post", "post_upgrade", upgrade_info=info)
    told = new.arrive("resumed", upgrade_info=info, resumed=True)
    assert "parts_a" in seen(told["findings"])


def test_everything_that_depends_on_the_order_of_text_is_found(make_machine: Make) -> None:
    machine = made(make_machine, rows=1)
    admin(
        machine,
        "CREATE DATABASE other TEMPLATE template0 LOCALE_PROVIDER libc LOCALE 'C.UTF-8'",
    )
    with connect(machine, "root", "secret-root", "other") as client:
        for statement in (
            "CREATE TYPE span AS RANGE (subtype = text)",
            "CREATE TYPE pair AS (a int, b text)",
            "CREATE TYPE fixed AS (a int, b int)",
            "CREATE DOMAIN named AS text",
            'CREATE TABLE t (n int, s text, c text COLLATE "C", d named, r span, p pair, f fixed, j jsonb,'
            " a text[], v varchar(9), CHECK (s < 'z'), CHECK (s = 'x' OR n > 0),"
            " big boolean GENERATED ALWAYS AS (s > 'm') STORED)",
            "CREATE INDEX risk_plain ON t (n, s)",
            "CREATE INDEX risk_domain ON t (d)",
            "CREATE INDEX risk_range ON t (r)",
            "CREATE INDEX risk_gist ON t USING gist (r)",
            "CREATE INDEX risk_record ON t (p)",
            "CREATE INDEX risk_json ON t (j)",
            "CREATE INDEX risk_array ON t (a)",
            "CREATE INDEX risk_brin ON t USING brin (v)",
            "CREATE INDEX risk_condition ON t (n) WHERE s > 'm'",
            "CREATE INDEX risk_expression ON t ((s < 'm'))",
            "CREATE INDEX safe_equality ON t (n) WHERE s = 'x' OR s IN ('y', 'z')",
            "CREATE INDEX safe_bytes ON t (s text_pattern_ops)",
            "CREATE INDEX safe_c ON t (c)",
            "CREATE INDEX safe_hash ON t USING hash (s)",
            "CREATE INDEX safe_record ON t (f)",
            "CREATE INDEX safe_gin ON t USING gin (j)",
            "CREATE MATERIALIZED VIEW chosen AS SELECT n FROM t WHERE s > 'm'",
            "CREATE TABLE ranges (s text) PARTITION BY RANGE (s)",
            "CREATE TABLE lists (s text) PARTITION BY LIST (s)",
        ):
            client.execute(statement.encode())
    told = machine.call("check_upgrade", **target(17), target_glibc="2.36")
    names = {each["index"] for each in told["facts"]["indexes_at_risk"] if each["database"] == "other"}
    assert names == {f"public.risk_{each}" for each in KINDS}
    others = seen(told["findings"])
    for name in ("public.ranges", "public.chosen", "big of public.t", "t_s_check on public.t"):
        assert name in others
    assert "public.lists" not in others
    assert "t_check" not in others
