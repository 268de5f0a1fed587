from collections.abc import Callable

import pytest

from instar.agent.datastores.postgresql import names
from instar.wire.errors import BadRequest

CHECKS = [names.check_database, names.check_user]


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", ["a", "Ä" * 31, "x" * 63, 'odd "name"; --', "with space", "pgx", "root_"])
def test_names_that_are_taken(check: Callable[[str, str], None], name: str) -> None:
    check(name, "field")


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize(
    "name",
    ["", "x" * 64, "Ä" * 32, "nul\0", "\ud800", "postgres", "pg_x", "instar_admin", "instar_owner", "all"],
)
def test_names_that_are_refused_naming_the_field(check: Callable[[str, str], None], name: str) -> None:
    with pytest.raises(BadRequest, match=r"the\.field"):
        check(name, "the.field")


def test_names_that_only_one_kind_may_not_have() -> None:
    names.check_database("root", "f")
    names.check_user("template1", "f")
    with pytest.raises(BadRequest):
        names.check_user("root", "f")
    with pytest.raises(BadRequest):
        names.check_database("template1", "f")
