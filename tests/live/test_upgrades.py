"""A writer writes throughout; afterwards everything that is the user's is as it was."""

from typing import Any

import pytest

from guest_images import Images
from real_control_plane import ControlPlane
from real_instance import DATABASE, RealInstance, is_alive
from waiting import until

pytestmark = pytest.mark.live

READER = {"user": "bob", "password": "secret-bob"}
ROOT_PASSWORD = "secret-root"
SETTINGS = "SELECT current_setting('work_mem'), current_setting('log_min_duration_statement')"
EXTENSIONS = """
    SELECT name, installed_version = default_version FROM pg_available_extensions
    WHERE name IN ('hstore', 'pg_trgm') AND installed_version IS NOT NULL ORDER BY name
"""


def furnish(instance: RealInstance) -> None:
    """Give the instance data, a second user with a grant, settings and extensions, one of them outdated."""
    client = instance.plane.client
    client.databases.create(instance.id, "stock")
    client.users.create(instance.id, READER["user"], READER["password"], databases=[DATABASE])
    client.root.enable(instance.id, ROOT_PASSWORD)
    with instance.connect() as connection:
        connection.execute(
            "CREATE TABLE orders AS SELECT n, md5(n::text) AS item FROM generate_series(1, 5000) n"
        )
        connection.execute("CREATE TABLE secrets (n int)")
        connection.execute("GRANT SELECT ON orders TO bob")
    with instance.connect("root", ROOT_PASSWORD) as connection:
        connection.execute("CREATE EXTENSION hstore VERSION '1.7'")
        connection.execute("CREATE EXTENSION pg_trgm")
        connection.execute("ALTER SYSTEM SET work_mem = '7MB'")
    instance.configure("log_min_duration_statement = 4321")


def look(instance: RealInstance) -> dict[str, Any]:
    """See what an upgrade must keep: asked of the control plane, of the database, and by logging in."""
    shown, client = instance.shown, instance.plane.client
    return {
        "name": shown.name,
        "address": shown.ip,
        "port": shown.port,
        "hostname": shown.hostname,
        "volume": shown.volume_id,
        "databases": [each.name for each in client.databases.list(instance.id)],
        "users": {
            each.name: [database.name for database in each.databases]
            for each in client.users.list(instance.id)
        },
        "root": client.root.is_enabled(instance.id),
        "settings": instance.ask(SETTINGS),
        "orders": instance.ask("SELECT count(*), min(item) FROM orders"),
        "checksums": instance.ask("SHOW data_checksums"),
        "encoding": instance.ask(
            "SELECT pg_encoding_to_char(encoding), datcollate, datlocprovider FROM pg_database ORDER BY 1, 2"
        ),
        "readable": instance.ask("SELECT count(*) FROM orders", **READER),
        "reader's rights": instance.ask(
            "SELECT has_table_privilege('orders', 'INSERT'), has_table_privilege('secrets', 'SELECT')",
            **READER,
        ),
    }


@pytest.mark.parametrize("case", ["major", "same image", "agent only"])
def test_an_upgrade_keeps_what_is_the_users(
    plane: ControlPlane, instance: RealInstance, images: Images, case: str
) -> None:
    version, manifest = {
        "major": ("18.6", images.new),
        "same image": ("17.10", images.old),
        "agent only": ("17.10", images.new_agent),
    }[case]
    furnish(instance)
    plane.use_image(version, manifest.digest)
    before, old_processes, boot = look(instance), instance.guest_processes(), instance.agent.info().boot_id
    assert before["settings"] == [("7MB", "4321ms")]
    assert before["checksums"] == ["on"]
    assert len(old_processes) > 2

    with instance.written_to():
        instance.upgrade(version)

    assert look(instance) == before
    assert instance.ask("SHOW server_version") == [manifest.engine_version]
    assert instance.version == version
    info = instance.agent.info()
    assert (info.agent_version, info.image_digest) == (manifest.agent_version, manifest.digest)
    assert info.boot_id != boot
    assert (instance.shown.image, instance.shown.agent_version) == (manifest.digest, manifest.agent_version)
    assert [each for each in old_processes if is_alive(each)] == []
    until(instance.is_one_of_each)  # a backend that is being forked looks like its server
    assert instance.ask(EXTENSIONS) == [("hstore", True), ("pg_trgm", True)]
    assert instance.ask("SELECT 'a=>1'::hstore -> 'a', similarity('instar', 'instars') > 0.5") == [
        ("1", True)
    ]
