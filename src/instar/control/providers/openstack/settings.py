"""What the openstack provider is told: which cloud, which network, who may reach instances."""

from dataclasses import dataclass
from pathlib import Path

DATABASE_PORTS = (3306, 5432)


@dataclass(frozen=True)
class OpenStackSettings:
    """Settings of the openstack provider; without `cloud` and `clouds_file`, the variables OS_... say which.

    `network`, `subnet`, `security_groups`, `flavors` and `volume_type` are names or ids. Clients reach the
    `database_ports` from `client_sources`, the control plane the `agent_port` from `agent_sources`. `timeout`
    is seconds that one answer of the cloud is waited for, `patience` those that a call waits for its effect.
    """

    network: str = ""
    cloud: str | None = None
    clouds_file: Path | None = None
    subnet: str | None = None
    security_groups: tuple[str, ...] = ()
    client_sources: tuple[str, ...] = ("0.0.0.0/0",)
    agent_sources: tuple[str, ...] = ("0.0.0.0/0",)
    database_ports: tuple[int, ...] = DATABASE_PORTS
    agent_port: int = 9779
    flavors: tuple[str, ...] = ()
    availability_zone: str | None = None
    volume_type: str | None = None
    key_name: str | None = None
    instant_snapshots: bool = True
    timeout: float = 60.0
    patience: float = 30.0
