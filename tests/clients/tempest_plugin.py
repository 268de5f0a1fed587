"""Trove's tempest plugin, from PyPI: its configuration for a control plane of ours, and runs of its tests."""

import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import environments

REQUIREMENTS = ("tempest==47.0.0", "trove-tempest-plugin==2.8.0")
SCENARIO = "trove_tempest_plugin.tests.scenario"
_NETWORK = "0a1b2c3d-0000-4000-8000-000000000000"
"""A network given by its id is not looked for in Neutron; our providers have one each, and take any."""
_OUTCOME = re.compile(r"^(?:.*\.(\w+)\[id-.*\]|(\w+Class) \(.*\)) \.\.\. (\w+)", re.MULTILINE)
_CONFIGURATION = """\
[DEFAULT]
log_file = tempest.log
log_dir = {folder}
[oslo_concurrency]
lock_path = {folder}
[identity]
uri_v3 = {keystone}
auth_version = v3
region = {region}
[auth]
use_dynamic_credentials = true
create_isolated_networks = false
admin_username = admin
admin_password = {password}
admin_project_name = admin
admin_domain_name = Default
[service_available]
cinder = {cloud}
glance = {cloud}
neutron = {cloud}
nova = {cloud}
swift = false
trove = true
[database]
enabled_datastores = {datastore}
default_datastore_versions = {datastore}:{version}
pre_upgrade_datastore_versions = {datastore}:{older}
flavor_id = 1
resize_flavor_id = 2
shared_network = {network}
rebuild_image_id = {image}
database_build_timeout = {patience}
"""


@dataclass(frozen=True)
class Target:
    """What tempest is to try: a datastore of a control plane that is in a Keystone's catalogue.

    `older` is the version that upgrades begin at, `image` what rebuilds put onto an instance of `version`;
    with `cloud`, the catalogue has Nova, Neutron, Cinder and Glance.
    """

    keystone: str
    password: str = field(repr=False)
    region: str
    datastore: str
    version: str
    older: str
    image: str = ""
    cloud: bool = False
    patience: int = 600


@dataclass
class Tempest:
    """Tempest with its configuration in a folder."""

    folder: Path
    programs: Path

    def run(self, *names: str) -> dict[str, str]:
        """Run test classes or methods of the plugin, one after the other; gives each test's outcome."""
        words = ["-m", "unittest", "-v", *(f"{SCENARIO}.{name}" for name in names)]
        environment = {"TEMPEST_CONFIG_DIR": str(self.folder), "TEMPEST_CONFIG": "tempest.conf"}
        done = subprocess.run(
            [self.programs / "python", *words],
            env={**os.environ, **environment},
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        (self.folder / "output.log").write_text(done.stdout + done.stderr)
        return {(each[1] or each[2]): each[3] for each in _OUTCOME.finditer(done.stderr)}


def tempest(folder: Path, target: Target) -> Tempest:
    """Write `tempest.conf`; accounts are tempest's own, made in Keystone for each class of tests."""
    text = _CONFIGURATION.format(folder=folder, network=_NETWORK, **vars(target))
    (folder / "tempest.conf").write_text(text)
    return Tempest(folder, environments.programs("tempest", *REQUIREMENTS))
