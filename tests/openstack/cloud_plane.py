"""A real control plane whose instances are servers of the lab's cloud; guests are whole systems."""

import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from grounds import processes_below
from guest_images import Images, image_dir
from instar.images import build
from instar.images.recipe import load
from instar.wire.agent import Manifest
from instar.wire.rest import Operation
from lab_cloud import NAME, NETWORK, Lab
from real_control_plane import ControlPlane
from real_engines import Engine
from real_instance import RealInstance
from waiting import until

PATIENCE = 1200.0
"""Seconds for an operation whose guests have an emulated processor."""
FLAVORS = {"1": ("lab.database", 512), "2": ("lab.database.large", 768)}
_CONFIGURATION = """\
[guests]
interval = 5
limit = 120
[openstack]
cloud = {name}
clouds_file = {clouds}
network = {network}
subnet = {name}
flavors = {flavors}
"""


@dataclass(frozen=True)
class CloudGround:
    """Servers of the lab: this machine sees nothing of them but what the cloud tells."""

    lab: Lab
    provider = "openstack"

    def configuration(self) -> str:
        """Name the tests' project, and the sizes that whole systems need."""
        for number, (name, ram) in FLAVORS.items():
            if not self.lab.admin.compute.find_flavor(name):
                self.lab.admin.compute.create_flavor(id=number, name=name, vcpus=1, ram=ram, disk=2)
        flavors = ",".join(name for name, _ in FLAVORS.values())
        clouds = self.lab.clouds
        return _CONFIGURATION.format(name=NAME, clouds=clouds, network=NETWORK, flavors=flavors)

    def processes(self, server: Path, volume: Path) -> set[psutil.Process]:
        """See nothing: a guest is a whole machine."""
        return set()

    machines = processes

    def processes_of(self, home: Path) -> list[psutil.Process]:
        """Find the control plane's own."""
        return processes_below(home)

    def leftovers(self, home: Path) -> list[str]:
        """Name what is there in the tests' project."""
        mine = self.lab.mine
        things = [
            *mine.compute.servers(),
            *mine.block_storage.volumes(),
            *mine.block_storage.snapshots(),
            *mine.network.ports(project_id=self.lab.project),
        ]
        return [f"{type(each).__name__} {each.name}" for each in things]

    def strays(self, home: Path, known: set[str]) -> list[str]:
        """Name what is there and belongs to none of the `known`."""
        return [each for each in self.leftovers(home) if not any(key in each for key in known)]

    def close(self, home: Path) -> None:
        """Nothing is left running."""


def both_releases(lab: Lab, engine: Engine) -> Images:
    """Build disks of an engine's two releases, or find them built, for a control plane on the lab."""
    names = (f"{engine.datastore}-{release}" for release in (engine.old, engine.new))
    old, new = (build(load(name), image_dir(), disk=True) for name in names)
    return Images(image_dir(), old, new, old, engine=engine, ground=CloudGround(lab))


@dataclass
class CloudPlane(ControlPlane):
    """Patient, as emulated guests need it."""

    patience: float = PATIENCE

    @property
    def lab(self) -> Lab:
        """The lab that it works on."""
        ground = self.ground
        assert isinstance(ground, CloudGround)
        return ground.lab

    def publish(self, image: Manifest) -> str:
        """Upload an image and register its version, as an operator does; gives Glance's id."""
        return self.upload(image)

    def upload(self, image: Manifest, *options: str) -> str:
        """Run `instar image publish`; gives Glance's id of the image."""
        done = self.command(
            *("image", "publish", image.digest, "--image-dir", str(self.images.image_dir), *options),
            *("-f", "value", "-c", "image"),
            OS_CLOUD=NAME,
            OS_CLIENT_CONFIG_FILE=str(self.lab.clouds),
        )
        assert done.status == 0, done.err
        return done.out.strip()

    def until_step(self, operation: Operation, step: str) -> Operation:
        """Wait until an operation has come to a step."""

        def look() -> Operation | None:
            found = self.client.operations.get(operation)
            assert found.state == "OPEN", found
            return found if found.step == step else None

        found = until(look, self.patience)
        assert found
        return found


def facts(instance: RealInstance, lab: Lab) -> dict[str, Any]:
    """Read from the cloud's own APIs what an upgrade must keep of a server, and from Instar what it tells."""
    mine = lab.mine
    server = server_of(instance, lab)
    (port,) = mine.network.ports(device_id=server.id)
    return {
        "server": server.id,
        "port": port.id,
        "hardware address": port.mac_address,
        "address": [each["ip_address"] for each in port.fixed_ips],
        "hostname": server.hostname,
        "volumes": [each.id for each in server.attached_volumes],
        "told": (instance.shown.ip, instance.shown.hostname, instance.shown.volume_id),
    }


def image_of(instance: RealInstance, lab: Lab) -> str:
    """Ask Nova for the image that a server's root disk was made from."""
    return str(server_of(instance, lab).image["id"])


def server_of(instance: RealInstance, lab: Lab) -> Any:
    """Give Nova's record of an instance's server: the one that has the volume."""
    volume = lab.mine.block_storage.get_volume(instance.shown.volume_id)
    return lab.mine.compute.get_server(volume.attachments[0]["server_id"])


def take_nova_away(lab: Lab) -> None:
    """Kill Nova's API; what it had begun goes on."""
    pid = int((lab.state / "run/nova-api.pid").read_text().split()[0])
    os.killpg(pid, signal.SIGKILL)


def bring_back(lab: Lab) -> None:
    """Have the lab start what does not run."""
    program = Path(__file__).with_name("lab") / "openstack-lab"
    subprocess.run([program, "up"], env={**os.environ, "LAB_STATE": str(lab.state)}, check=True)
