"""Back onto the old image: every write is kept, or it is refused and nothing is touched."""

import shutil
from collections.abc import Callable

import psycopg
import pytest
from guest_machine import Machine, connect, engine_version, wait_for
from test_crossing import Writer, appears, leave, made

from instar.wire.errors import GuestError, Untouched

Make = Callable[..., Machine]


def filled(make_machine: Make, major: int = 17) -> Machine:
    machine = made(make_machine, major)
    with connect(machine) as client:
        client.execute("CREATE TABLE t AS SELECT generate_series(1, 1000) AS n")
    return machine


def rows(machine: Machine) -> int:
    with connect(machine) as client:
        row = client.execute("SELECT count(*) FROM t").fetchone()
        assert row is not None
        return int(row[0])


def leftovers(machine: Machine) -> list[str]:
    """Name what lies among the data directories beside the one in use."""
    found = (path.name for path in (machine.volume / "postgresql").iterdir())
    return [name for name in found if name != str(machine.major)]


@pytest.mark.parametrize("served", [False, True])
def test_same_version_comes_back_with_every_write(make_machine: Make, served: bool) -> None:
    old = made(make_machine)
    writer = Writer(old)
    try:
        info = leave(old, 17)
        new = make_machine(17, before=old)
        if served:
            new.arrive("post", upgrade_info=info)
            writer.writes_on()
        new.power_off()
        back = make_machine(17, before=old)
        told = back.job("back", "come_back", configuration={"work_mem": "7MB"})
        assert back.job("back-again", "come_back", configuration={"work_mem": "7MB"}) == told
        writer.writes_on()
    finally:
        writer.stop()
    assert writer.lost() == set()
    assert told["engine_version"] == engine_version(17)
    assert told["read_back"]["settings"] == {"work_mem": "7MB"}


@pytest.mark.parametrize("death", ["power_off", "kill_agent"])
@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(appears("18.new/PG_VERSION"), id="initdb"),
        pytest.param(appears("17/global/pg_control.old"), id="old directory disabled"),
    ],
)
def test_half_done_conversion_is_undone(
    make_machine: Make, moment: Callable[[Machine], bool], death: str
) -> None:
    old = filled(make_machine)
    info = leave(old, 18)
    new = make_machine(18, before=old, older=(17,))
    new.start_job("post", "post_upgrade", upgrade_info=info)
    wait_for(lambda: moment(new), "the moment to die")
    getattr(new, death)()
    new.power_off()
    back = make_machine(17, before=old)
    back.job("back", "come_back")
    assert rows(back) == 1000
    assert leftovers(back) == []
    assert not (back.volume / "instar/scratch").exists()


def test_linked_data_files_are_not_taken_back_without_a_snapshot(make_machine: Make) -> None:
    old = filled(make_machine)
    info = leave(old, 18)
    new = make_machine(18, before=old, older=(17,))
    new.start_job("post", "post_upgrade", upgrade_info=info)
    wait_for(lambda: appears("18")(new), "the new directory")
    new.power_off()
    back = make_machine(17, before=old)
    with pytest.raises(GuestError, match="a snapshot is needed") as refused:
        back.job("back", "come_back")
    assert not refused.value.body.retryable
    assert "link" in refused.value.body.seen
    back.power_off()
    again = make_machine(18, before=old, older=(17,))
    again.arrive("post", upgrade_info=info)
    assert rows(again) == 1000


def failed_on_copies(make_machine: Make) -> Machine:
    """Convert copies of the data files, and fail before clients are let in."""
    old = filled(make_machine)
    info = leave(old, 18, "copy")
    new = make_machine(18, before=old, older=(17,))
    probe = {"name": "p", "database": "app", "sql": "SELECT count(*) FROM t", "expected": "0"}
    with pytest.raises(GuestError, match="not let in: probe p"):
        new.arrive("post", upgrade_info=info, probes=[probe])
    new.power_off()
    return old


def test_copies_that_nobody_wrote_to_are_given_up(make_machine: Make) -> None:
    old = failed_on_copies(make_machine)
    back = make_machine(17, before=old)
    back.job("back", "come_back")
    assert rows(back) == 1000
    assert leftovers(back) == []


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(lambda machine: not (machine.volume / "postgresql/18").exists(), id="name taken"),
        pytest.param(lambda machine: machine.status() == "HEALTHY", id="clients let in"),
    ],
)
def test_coming_back_is_repeated_after_a_crash(make_machine: Make, moment: Callable[[Machine], bool]) -> None:
    old = failed_on_copies(make_machine)
    back = make_machine(17, before=old)
    back.start_job("back", "come_back")
    wait_for(lambda: moment(back), "the moment to die")
    back.power_off()
    back.boot()
    back.job("back", "come_back")
    assert rows(back) == 1000
    assert leftovers(back) == []


def test_writes_to_copies_are_not_thrown_away(make_machine: Make) -> None:
    old = filled(make_machine)
    info = leave(old, 18, "copy")
    new = make_machine(18, before=old, older=(17,))
    new.arrive("post", upgrade_info=info)
    with connect(new) as client:
        client.execute("INSERT INTO t VALUES (0)")
    new.power_off()
    back = make_machine(17, before=old)
    with pytest.raises(GuestError, match="clients were let in on PostgreSQL 18"):
        back.job("back", "come_back")
    with pytest.raises(psycopg.OperationalError):
        connect(back)
    back.power_off()
    again = make_machine(18, before=old, older=(17,))
    wait_for(lambda: again.status() == "HEALTHY", "the database")
    assert rows(again) == 1001


def test_removed_data_files_and_unknown_ones_are_refused(make_machine: Make) -> None:
    old = filled(make_machine)
    info = leave(old, 18, "copy")
    new = make_machine(18, before=old, older=(17,))
    new.arrive("post", upgrade_info=info)
    new.power_off()
    (new.volume / "instar/crossing.json").unlink()
    back = make_machine(17, before=old)
    with pytest.raises(GuestError, match="nothing is noted"):
        back.job("unknown", "come_back")
    back.power_off()
    shutil.rmtree(new.volume / "postgresql/17")
    with pytest.raises(GuestError, match="have been removed"):
        back.boot().job("removed", "come_back")


def test_volume_that_was_put_back_to_its_snapshot_serves(make_machine: Make) -> None:
    old = filled(make_machine)
    old.job("set", "apply_configuration", configuration={"work_mem": "7MB"})
    info = leave(old, 18)
    kept = old.volume.with_name("kept")
    shutil.copytree(old.volume, kept, symlinks=True)
    new = make_machine(18, before=old, older=(17,))
    new.arrive("post", upgrade_info=info, configuration={"work_mem": "6MB"})
    new.job("settle", "settle")
    new.power_off()
    for place in (*old.volume.iterdir(),):
        shutil.rmtree(place)
    shutil.copytree(kept, old.volume, symlinks=True, dirs_exist_ok=True)
    back = make_machine(17, before=old)
    told = back.job("back", "come_back")
    assert told["read_back"]["settings"] == {"work_mem": "7MB"}
    assert rows(back) == 1000


def test_loss_keeps_clients_out_when_nobody_was_let_in_since(make_machine: Make) -> None:
    old = filled(make_machine)
    leave(old, 17)
    meddler = make_machine(17, before=old)
    meddler.job("open", "start")
    with connect(meddler, "root", "secret-root", "postgres") as client:
        client.execute("DROP DATABASE app")
    (meddler.volume / "instar/desired").write_text("upgrading")
    meddler.power_off()
    back = make_machine(17, before=old)
    with pytest.raises(GuestError, match="app"):
        back.job("back", "come_back")
    assert back.status() == "SHUTDOWN"


def test_leaving_for_an_older_image_is_allowed_on_the_way_back(make_machine: Make) -> None:
    machine = filled(make_machine, 18)
    older = {"target_engine_version": "18.1", "target_image_digest": "sha256:x"}
    assert [each["check"] for each in machine.call("check_upgrade", **older)["findings"]] == ["version"]
    assert machine.call("check_upgrade", **older, rolling_back=True)["findings"] == []
    machine.job("pre", "pre_upgrade", **older, rolling_back=True)
    machine.power_off()
    back = make_machine(18, before=machine)
    back.job("back", "come_back")
    assert rows(back) == 1000


def test_conversion_that_was_refused_says_that_nothing_was_touched(make_machine: Make) -> None:
    old = filled(make_machine)
    info = leave(old, 18)
    new = make_machine(18, before=old)
    with pytest.raises(Untouched, match="lacks PostgreSQL 17"):
        new.arrive("post", upgrade_info=info)
