"""What only PostgreSQL's hooks promise."""

from collections.abc import Callable

import pytest
from guest_machine import DATABASE, USER, Machine, connect, each_major

from instar.wire.errors import NotFound


@pytest.fixture(params=each_major(17, 18))
def machine(request: pytest.FixtureRequest, make_machine: Callable[..., Machine]) -> Machine:
    machine = make_machine(request.param)
    machine.job("create", "prepare", databases=[{"name": DATABASE}], users=[USER])
    return machine


def test_data_directory_has_checksums_and_listens_on_its_address_only(machine: Machine) -> None:
    with connect(machine) as client:
        assert client.execute("SHOW data_checksums").fetchone() == ("on",)
        assert client.execute("SHOW listen_addresses").fetchone() == (machine.address,)


def test_dropped_user_leaves_its_data_and_no_powers(machine: Machine) -> None:
    with connect(machine) as client:
        client.execute("CREATE TABLE kept AS SELECT 7 AS n")
        client.execute("CREATE FUNCTION whoami() RETURNS name SECURITY DEFINER RETURN current_user")
    machine.call("delete_user", name="ann")
    assert machine.call("list_users")["users"] == []
    with pytest.raises(NotFound):
        machine.call("delete_user", name="instar_admin")
    machine.call("enable_root", password="secret-root")
    with connect(machine, "root", "secret-root") as client:
        assert client.execute("SELECT n FROM kept").fetchone() == (7,)
        heir = client.execute(
            "SELECT rolsuper, rolcanlogin FROM pg_roles WHERE rolname = whoami()"
        ).fetchone()
        assert heir == (False, False)
