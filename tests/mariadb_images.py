"""Images of MariaDB for scenarios, with what sets its releases apart."""

from instar.control import wiring
from instar.wire.agent import Manifest, Parameter
from world import World

VERSIONS = ("10.11.14", "11.8.3", "11.8.6")


def add_mariadb(world: World) -> None:
    """Register MariaDB 10.11 and two releases of 11.8 beside what the world has."""
    for version in VERSIONS:
        world.provider.add_image(manifest(version), catalogue(version))
    wiring.register_images(world.house)
    wiring.read_catalogues(world.house)


def manifest(version: str) -> Manifest:
    """Describe an image of MariaDB."""
    return Manifest(
        recipe=f"mariadb-{version}",
        datastore="mariadb",
        manager="mariadb",
        engine_version=version,
        version_name=version,
        agent_version="1.0",
        glibc="2.36" if version.startswith("10") else "2.41",
    )


def catalogue(version: str) -> list[Parameter]:
    """Give a few of MariaDB's parameters, as its own server tells of them."""
    parameters = [
        Parameter(name="innodb_buffer_pool_size", type="integer", default="134217728", minimum=2097152,
                  maximum=18446744073701163008),
        Parameter(name="max_connections", type="integer", default="151", minimum=10, maximum=100000),
        Parameter(name="long_query_time", type="float", default="10", minimum=0, maximum=31536000),
        Parameter(name="event_scheduler", type="enum", default="OFF", values=["OFF", "ON", "DISABLED"]),
        Parameter(name="innodb_strict_mode", type="boolean", default="ON"),
        Parameter(name="sql_mode", type="string", default="STRICT_TRANS_TABLES"),
        Parameter(name="port", type="integer", default="3306", minimum=0, maximum=65535, fixed=True),
    ]  # fmt: skip
    gone = [
        Parameter(name="innodb_change_buffering", type="enum", default="none", values=["none", "all"]),
        Parameter(name="tx_isolation", type="string", default="REPEATABLE-READ"),
    ]
    if version.startswith("10"):
        return parameters + gone
    return [*parameters, Parameter(name="transaction_isolation", type="string", default="REPEATABLE-READ")]
