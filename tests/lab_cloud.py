"""The OpenStack that tests run on: `tests/openstack/lab`, and in it a project that is the tests' own.

`make test-openstack` brings it up. INSTAR_TEST_LAB is its state directory; without that, tests are skipped.
Tests that run side by side (`pytest -n 2`) have a project each, and a part of the network.
"""

import fcntl
import functools
import hashlib
import ipaddress
import json
import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import IO, Any

import openstack
import requests
from keystoneauth1 import exceptions as auth
from openstack import exceptions as sdk

from instar.control.providers.openstack.settings import OpenStackSettings
from instar.wire.agent import Manifest, Parameter
from instar.wire.image_properties import to_properties
from waiting import until

VARIABLE = "INSTAR_TEST_LAB"
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
NAME = "instar-tests" + (f"-{_WORKER}" if _WORKER else "")
"""Of the tests' project, its user, its subnet and its security group."""
NETWORK = "lab-net"
SUBNET = ipaddress.ip_network(f"10.77.1.{16 * _WORKER}/28")
GATEWAY, *_ADDRESSES = (str(address) for address in islice(SUBNET.hosts(), 9))
POOL, ADDRESSES = {"start": _ADDRESSES[0], "end": _ADDRESSES[-1]}, len(_ADDRESSES)
SSH_OPTIONS = (
    "StrictHostKeyChecking=no",
    "UserKnownHostsFile=/dev/null",
    "LogLevel=ERROR",
    "ConnectTimeout=3",
)
ROLES = ("member", "advsvc")
PATIENCE = 300.0
"""Seconds that a guest may take to boot, whose processor is emulated on a machine with other work."""


def why_not() -> str:
    """Say what is lacking for tests with a real OpenStack; nothing when they can run."""
    state = os.environ.get(VARIABLE)
    if not state:
        return f"no OpenStack to try it with: `make test-openstack`, or {VARIABLE} with a running lab's state"
    if os.geteuid() != 0:
        return "looking into the lab's guests and volumes takes root: run the tests as root"
    return _why_down(state)


@functools.cache
def _why_down(state: str) -> str:
    try:
        connect(Path(state) / "clouds.yaml", "lab-admin").authorize()
    except (sdk.SDKException, auth.ClientException, OSError) as error:
        return f"the lab at {state} is not up (`tests/openstack/lab/openstack-lab up`): {error}"
    return ""


@functools.cache
def the_lab() -> "Lab":
    """Give this process the lab, with the tests' project empty."""
    return Lab()


def connect(clouds: Path, cloud: str) -> Any:
    """Open a connection to an entry of a clouds.yaml."""
    config = openstack.config.OpenStackConfig(config_files=[str(clouds)])
    region = config.get_one(cloud=cloud, compute_default_microversion="2.90")
    return openstack.connection.Connection(config=region)


class Lab:
    """The lab, with the tests' project in it; `clouds` is a clouds.yaml whose entry is called `NAME`.

    One process at a time has a project: others wait until that ends.
    """

    def __init__(self) -> None:
        self.state = Path(os.environ[VARIABLE])
        self._turn = self._lock(f"{NAME}.lock")
        self.admin = connect(self.state / "clouds.yaml", "lab-admin")
        with self._lock("tests.lock"):
            self.project = self._project()
            self.clouds = self._clouds()
            self.mine = connect(self.clouds, NAME)
            self._network()
            self._conveniences()
        subprocess.run(["ip", "address", "replace", f"{GATEWAY}/28", "dev", "lab-host"], check=True)
        self.clear()

    def _lock(self, name: str) -> IO[str]:
        """Wait until this process alone has a file; closing it lets go."""
        file = (self.state / name).open("w")
        fcntl.flock(file, fcntl.LOCK_EX)
        return file

    # what the tests' project has for good

    def _project(self) -> str:
        identity = self.admin.identity
        project = identity.find_project(NAME) or identity.create_project(name=NAME, domain_id="default")
        password = self._secret()
        user = identity.find_user(NAME) or identity.create_user(
            name=NAME, domain_id="default", password=password
        )
        for name in ROLES:
            role = identity.find_role(name) or identity.create_role(name=name)
            identity.assign_project_role_to_user(project, user, role)
        network, volume = self.admin.network, self.admin.block_storage
        network.update_quota(project.id, security_groups=-1, security_group_rules=-1, ports=-1)
        volume.update_quota_set(project.id, volumes=100, snapshots=100, gigabytes=1000)
        return str(project.id)

    def _secret(self) -> str:
        return (self.state / "secret").read_text().strip()

    def _clouds(self) -> Path:
        auth = {
            "auth_url": self.admin.config.config["auth"]["auth_url"],
            "username": NAME,
            "password": self._secret(),
            "project_name": NAME,
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        }
        path = self.state / f"clouds-{NAME}.yaml"
        cloud = {"auth": auth, "region_name": "RegionOne", "identity_api_version": "3"}
        path.touch(0o600)
        path.write_text(json.dumps({"clouds": {NAME: cloud}}))  # JSON is YAML
        return path

    def _network(self) -> None:
        network = self.admin.network.find_network(NETWORK)
        shared = list(self.admin.network.rbac_policies(object_id=network.id, target_tenant=self.project))
        if not shared:
            self.admin.network.create_rbac_policy(
                object_type="network",
                object_id=network.id,
                action="access_as_shared",
                target_project_id=self.project,
            )
        if not self.admin.network.find_subnet(NAME):
            self.admin.network.create_subnet(
                name=NAME,
                network_id=network.id,
                ip_version=4,
                cidr=str(SUBNET),
                gateway_ip=GATEWAY,
                allocation_pools=[POOL],
                is_dhcp_enabled=False,
            )

    def _conveniences(self) -> None:
        """A way in for the tests, and a second size."""
        if not self.mine.network.find_security_group(NAME, project_id=self.project):
            group = self.mine.network.create_security_group(name=NAME)
            for port in (22, 80):
                self.mine.network.create_security_group_rule(
                    security_group_id=group.id,
                    direction="ingress",
                    protocol="tcp",
                    port_range_min=port,
                    port_range_max=port,
                )
        if not self.mine.compute.find_keypair(NAME):
            public = (self.state / "id_lab.pub").read_text().strip()
            self.mine.compute.create_keypair(name=NAME, public_key=public)
        if not self.admin.compute.find_flavor("lab.large"):
            self.admin.compute.create_flavor(name="lab.large", vcpus=1, ram=320, disk=1)

    # images

    def guest_image(self, version: int, manifest: Manifest, parameters: Iterable[Parameter] = ()) -> str:
        """Publish the lab's guest of a version with a manifest, once; gives its id."""
        path = self.state / "guest" / f"guest-v{version}.qcow2"
        properties = to_properties(manifest, parameters)
        text = json.dumps([properties, path.stat().st_mtime_ns, path.stat().st_size])
        name = f"{NAME}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        for image in self.mine.image.images(name=name, owner=self.project):
            if image.status == "deactivated":
                self.admin.image.reactivate_image(image)
            return str(image.id)
        image = self.mine.image.create_image(
            name=name,
            disk_format="qcow2",
            container_format="bare",
            visibility="private",
            filename=str(path),
            hw_rng_model="virtio",
            **properties,
        )
        return str(image.id)

    # what tests leave

    def clear(self) -> None:
        """Delete all servers, volumes and ports of the tests' project."""
        mine = self.mine
        for server in mine.compute.servers():
            mine.compute.delete_server(server)
        until(lambda: not list(mine.compute.servers()), PATIENCE)
        for volume in mine.block_storage.volumes():
            if volume.status not in ("available", "error", "deleting"):
                self.admin.block_storage.reset_volume_status(volume, "available", "detached", None)
        for volume in mine.block_storage.volumes():
            mine.block_storage.delete_volume(volume, cascade=True)
        until(lambda: not list(mine.block_storage.volumes()), PATIENCE)
        for port in mine.network.ports(project_id=self.project):
            mine.network.delete_port(port)
        for group in mine.network.security_groups(project_id=self.project):
            if group.name not in ("default", NAME):
                mine.network.delete_security_group(group)

    # behind the cloud's back

    def power_off(self, server_id: str) -> None:
        """End a server's machine as a power cut would, and wait until Nova has seen it."""
        socket = self.state / "run/libvirt/libvirt-sock"
        uri = f"qemu+unix:///system?socket={socket}"
        subprocess.run(["virsh", "-q", "-c", uri, "destroy", server_id], check=True, capture_output=True)
        get = self.mine.compute.get_server
        until(lambda: get(server_id).status == "SHUTOFF", PATIENCE)

    def address(self, server_id: str) -> str:
        """Give a server's address, one of two while it takes over that of another."""
        card = next(self.mine.compute.server_interfaces(server_id))
        return str(card.fixed_ips[0]["ip_address"])

    def run(self, server_id: str, command: str, text: str = "") -> str:
        """Run a command in a guest as root, once that lets us in; gives what it printed."""
        words = ["ssh", "-i", str(self.state / "id_lab"), *(f"-o{option}" for option in SSH_OPTIONS)]

        def attempt() -> subprocess.CompletedProcess[str] | None:
            target = [f"root@{self.address(server_id)}", command]
            done = subprocess.run([*words, *target], input=text, capture_output=True, text=True)
            return None if done.returncode == 255 else done

        done = until(attempt, PATIENCE)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return str(done.stdout)

    def status(self, server_id: str) -> dict[str, Any]:
        """Ask a guest how it is, once it answers."""

        def ask() -> dict[str, Any] | None:
            url = f"http://{self.address(server_id)}/cgi-bin/status"
            with suppress(requests.RequestException, ValueError):
                answer: dict[str, Any] = requests.get(url, timeout=3).json()
                return answer
            return None

        told: dict[str, Any] = until(ask, PATIENCE)
        return told

    @contextmanager
    def mounted(self, volume_id: str) -> Iterator[Path]:
        """Mount a volume that no guest has mounted, formatted if it is blank."""
        file = self.state / "cinder/volumes" / f"volume-{volume_id}"
        if subprocess.run(["blkid", "-p", file], capture_output=True).returncode:
            subprocess.run(["mkfs.ext4", "-q", "-F", "-L", "data", file], check=True)
        with tempfile.TemporaryDirectory(prefix="instar-volume-") as place:
            subprocess.run(["mount", "-o", "loop", file, place], check=True)
            try:
                yield Path(place)
            finally:
                subprocess.run(["umount", place], check=True)


def settings(lab: Lab, **more: Any) -> OpenStackSettings:
    """Make settings of a provider in the tests' project."""
    usual: dict[str, Any] = {
        "cloud": NAME,
        "clouds_file": lab.clouds,
        "network": NETWORK,
        "subnet": NAME,
        "security_groups": (NAME,),
        "flavors": ("lab.small", "lab.large"),
        "key_name": NAME,
    }
    return OpenStackSettings(**{**usual, **more})
