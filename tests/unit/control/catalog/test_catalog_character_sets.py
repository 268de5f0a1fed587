"""Character sets and collations, as far as they are known without asking an engine."""

import pytest

from instar.control.catalog import character_sets
from instar.wire import rest
from instar.wire.errors import BadRequest


def check(manager: str, character_set: str | None = None, collate: str | None = None) -> None:
    database = rest.NewDatabase(name="a", character_set=character_set, collate=collate)
    character_sets.check(manager, [rest.NewDatabase(name="plain"), database], "databases")


@pytest.mark.parametrize("name", ["UTF8", "utf-8", "SQL_ASCII", "latin9", "ISO 8859-5"])
def test_postgresql_reads_names_without_regard_to_signs(name):
    check("postgresql", name, "sv_SE.UTF-8")


@pytest.mark.parametrize("name", ["utf8mb4", "BIG5", "Klingon"])
def test_what_postgresql_does_not_store_is_refused_by_field(name):
    with pytest.raises(BadRequest, match=r"databases\.1\.character_set.*UTF8"):
        check("postgresql", name)


def test_a_collation_of_mariadb_begins_with_its_character_set():
    check("mariadb", "latin1", "latin1_german2_ci")
    check("mariadb", None, "binary")
    with pytest.raises(BadRequest, match=r"databases\.1\.collate"):
        check("mariadb", "latin1", "utf8mb4_bin")


def test_an_engine_of_a_third_party_decides_for_itself():
    check("somebody elses", "anything", "goes")
    with pytest.raises(BadRequest, match="no name of a collation"):
        check("somebody elses", None, "'; DROP")
