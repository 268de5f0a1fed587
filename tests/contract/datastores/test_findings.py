"""What a check tells of before an upgrade: all at once, each with its severity, and nothing changed."""

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from engines import POSTGRESQL as ENGINES
from guest_machine import Machine, connect, engine
from test_crossing import leave, made, target

from instar.images import parameters
from instar.images.programs import OfATree
from instar.images.recipe import load
from instar.wire import agent as wire
from instar.wire.errors import Vetoed

Make = Callable[..., Machine]


def told(machine: Machine, major: int, **params: Any) -> set[tuple[str, str]]:
    found = machine.call("check_upgrade", **target(major), **params)["findings"]
    assert all(each["remedy"] or each["severity"] == "note" for each in found)
    return {(each["check"], each["severity"]) for each in found}


def admin(machine: Machine, *statements: str, database: str = "app") -> None:
    with connect(machine, "root", "secret-root", database) as client:
        for statement in statements:
            client.execute(statement)


def test_everything_that_pg_upgrade_refuses_is_found_at_once(make_machine: Make) -> None:
    machine = made(make_machine)
    admin(
        machine,
        "CREATE DOMAIN call AS regproc",
        "CREATE TYPE pair AS (a int, b call[])",
        "CREATE TABLE deep (p pair)",
        "CREATE TABLE described (c pg_class)",
        "CREATE TABLE parent (n int NOT NULL)",
        "CREATE TABLE child () INHERITS (parent)",
        "CREATE DATABASE broken",
        "CREATE UNLOGGED TABLE fleeting (n int)",
        "CREATE TABLE twice AS SELECT 1 AS n FROM generate_series(1, 2)",
        "CREATE INDEX folded ON fleeting (lower(n::text))",
        "SELECT pg_create_physical_replication_slot('standby')",
        "CREATE FUNCTION sum(int) RETURNS int LANGUAGE c AS '$libdir/seg', 'seg_in'",
        "UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'broken'",
        "UPDATE pg_attribute SET attnotnull = false WHERE attrelid = 'child'::regclass",
    )
    with pytest.raises(Exception, match="twice"):
        admin(machine, "CREATE UNIQUE INDEX CONCURRENTLY ON twice (n)")
    common = {("unlogged_tables", "note"), ("invalid_indexes", "note")}
    assert told(machine, 17) == common
    assert told(machine, 18) == {
        *common,
        ("data_types", "block"),
        ("inherited_not_null", "block"),
        ("invalid_databases", "block"),
        ("libraries", "warn"),
        ("physical_slots", "warn"),
        ("unicode", "warn"),
    }
    seen = str(machine.call("check_upgrade", **target(18))["findings"])
    for name in ("public.deep.p", "public.described.c", "public.child.n", "standby", "public.folded"):
        assert name in seen
    assert machine.status() == "HEALTHY"


def test_what_only_a_way_to_18_forbids_is_no_finding_before(make_machine: Make) -> None:
    machine = made(make_machine, 18)
    admin(
        machine,
        "CREATE TABLE parent (n int NOT NULL)",
        "CREATE TABLE child () INHERITS (parent)",
        "UPDATE pg_attribute SET attnotnull = false WHERE attrelid = 'child'::regclass AND attname = 'n'",
    )
    coming = target(18) | {"target_engine_version": "19.0"}
    found = machine.call("check_upgrade", **coming)["findings"]
    assert "inherited_not_null" not in {each["check"] for each in found}


def test_slots_that_end_with_their_session_stand_in_nobodys_way(make_machine: Make) -> None:
    machine = made(make_machine)
    with connect(machine, "root", "secret-root") as client:
        client.execute("SELECT pg_create_physical_replication_slot('passing', false, true)")
        assert told(machine, 18) == set()


def test_one_database_that_can_not_be_looked_at_hides_no_other_finding(make_machine: Make) -> None:
    machine = made(make_machine)
    admin(machine, "CREATE TABLE depends (p regproc)", "CREATE DATABASE broken")
    with connect(machine, "root", "secret-root") as client:
        row = client.execute("SELECT oid FROM pg_database WHERE datname = 'broken'").fetchone()
        assert row is not None
    (machine.volume / f"postgresql/17/base/{row[0]}/PG_VERSION").unlink()
    assert told(machine, 18) == {("data_types", "block"), ("database", "block")}
    (found,) = machine.call("check_upgrade", **target(17))["findings"]
    assert "broken" in found["seen"]
    assert machine.status() == "HEALTHY"


def test_types_made_of_forbidden_ones_are_followed_however_deep(make_machine: Make) -> None:
    machine = made(make_machine)
    admin(
        machine,
        "CREATE TYPE span AS RANGE (subtype = regnamespace)",
        "CREATE DOMAIN spans AS span[]",
        "CREATE TYPE pair AS (a int, b spans)",
        "CREATE TABLE forbidden (d pair, r span, m span[], t regtype)",
        "CREATE TABLE nested (f forbidden[])",
        "CREATE TABLE fine (n int[], t text, c regclass)",
    )
    (found,) = machine.call("check_upgrade", **target(18))["findings"]
    columns = ("forbidden.d", "forbidden.m", "forbidden.r", "nested.f")
    assert found["seen"].endswith(": " + ", ".join(f"public.{each}" for each in columns))


def test_what_a_client_made_after_the_check_is_vetoed_behind_the_gate(make_machine: Make) -> None:
    machine = made(make_machine)
    admin(
        machine,
        "CREATE TABLE held (n int)",
        "CREATE EXTENSION pg_trgm",
    )
    offered = {"plpgsql": "1.0"}
    for name, params in (("extension", {"target_extensions": offered}), ("types", {})):
        if name == "types":
            admin(machine, "CREATE TABLE depends (p regproc)")
        with pytest.raises(Vetoed) as vetoed:
            machine.job(name, "pre_upgrade", **target(18), **params)
        assert vetoed.value.body.findings
        assert machine.status() == "HEALTHY"


def test_extensions_are_held_against_what_the_target_offers(make_machine: Make) -> None:
    machine = made(make_machine)
    admin(machine, "CREATE EXTENSION pg_trgm VERSION '1.5'", "CREATE EXTENSION hstore")
    offered = {"plpgsql": "1.0", "pg_trgm": "1.6", "hstore": "1.2"}
    found = machine.call("check_upgrade", **target(17), target_extensions=offered)["findings"]
    assert [(each["check"], each["severity"]) for each in found] == [
        ("extension_versions", "warn"),
        ("extension_versions", "note"),
    ]
    assert "1.5 -> 1.6" in found[1]["seen"]
    del offered["hstore"]
    assert ("extensions", "block") in told(machine, 18, target_extensions=offered)
    assert told(machine, 18) == set()


def test_indexes_over_text_that_a_new_library_may_order_otherwise(make_machine: Make) -> None:
    machine = made(make_machine)
    manifest = machine.root / wire.IMAGE_MANIFEST
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"glibc": "2.36", "icu": "72.1"}))
    machine.kill_agent()
    machine.boot()
    admin(
        machine,
        "CREATE COLLATION german (provider = libc, locale = 'POSIX')",
        """CREATE TABLE texts (n int, s text, c text COLLATE "C", g text COLLATE german)""",
        "INSERT INTO texts SELECT n, n, n, n FROM generate_series(1, 2000) AS n",
        "CREATE INDEX plain ON texts (n, s, c)",
        "CREATE UNIQUE INDEX sorted ON texts (n, g)",
        "CREATE INDEX hashed ON texts USING hash (g)",
    )
    with connect(machine, "root", "secret-root") as client:
        client.execute("CREATE TEMPORARY TABLE passing (g text COLLATE german UNIQUE)")
        client.execute("UPDATE pg_collation SET collcollate = 'de_DE.utf8' WHERE collname = 'german'")
        checked = machine.call("check_upgrade", **target(18), target_glibc="2.41", target_icu="76.1")
    assert [(each["check"], each["severity"]) for each in checked["findings"]] == [("text_ordering", "warn")]
    (risk,) = checked["facts"]["indexes_at_risk"]
    assert risk.pop("bytes") > 0
    assert risk == {
        "database": "app",
        "index": "public.sorted",
        "table": "public.texts",
        "provider": "libc",
        "unique": True,
    }
    same = machine.call("check_upgrade", **target(18), target_glibc="2.36", target_icu="76.1")
    assert same["facts"]["indexes_at_risk"] == []


def test_facts_tell_how_much_there_is(make_machine: Make) -> None:
    machine = made(make_machine)
    admin(machine, "CREATE TABLE t (n serial PRIMARY KEY)")
    facts = machine.call("check_upgrade", **target(18))["facts"]
    assert (facts["relations"], facts["databases"]) == (3, 3)
    assert facts["data_bytes"] > 1 << 20


def test_extension_of_a_newer_version_survives_the_way_to_an_older_library(make_machine: Make) -> None:
    old = made(make_machine)
    admin(
        old, "CREATE EXTENSION pg_trgm", "UPDATE pg_extension SET extversion = '9' WHERE extname = 'pg_trgm'"
    )
    info = leave(old, 17)
    new = make_machine(17, before=old)
    assert new.arrive("post", upgrade_info=info)["extensions_updated"] == []


@pytest.mark.parametrize("name", ["postgresql-17.10", "postgresql-18.6"])
def test_parameters_are_told_by_the_very_program(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    recipe = load(name)
    programs = engine(int(recipe.engine_version.split(".")[0])) / "bin"
    inside = OfATree(ENGINES, tmp_path_factory.mktemp("scratch"))
    known = {each.name: each for each in parameters.read(recipe.manager, recipe.engine_version, inside)}
    described = subprocess.run([programs / "postgres", "--describe-config"], capture_output=True, text=True)
    assert {line.split("\t")[0] for line in described.stdout.splitlines()} <= set(known)
    size, level = known["work_mem"], known["wal_level"]
    assert (size.type, size.default, size.minimum, size.unit) == ("integer", "4096", 64, "kB")
    assert (level.type, level.values) == ("enum", ["minimal", "replica", "logical"])
    assert [known[each].restart_required for each in ("max_connections", "work_mem")] == [True, False]
    fixed = ("port", "listen_addresses", "data_directory", "server_version", "wal_segment_size")
    assert all(known[each].fixed for each in fixed)
    assert not known["shared_buffers"].fixed
    assert ("io_method" in known) == (name == "postgresql-18.6")


def test_a_file_system_that_can_not_clone_is_told(make_machine: Make) -> None:
    machine = made(make_machine)
    source, target_file = machine.volume / "postgresql/17/PG_VERSION", machine.volume / "clone"
    cloned = subprocess.run(["cp", "--reflink=always", source, target_file], check=False, capture_output=True)
    found = machine.call("check_upgrade", **target(18) | {"method": "clone"})["findings"]
    assert ("method" in {each["check"] for each in found}) is (cloned.returncode != 0)
