"""A control plane on the lab that asks Keystone who calls, and that clients find in its catalogue."""

from dataclasses import dataclass

from cloud_plane import CloudPlane
from keystoneauth1 import session
from keystoneauth1.identity import v3

from instar.client import Client
from instar.wire.agent import Manifest
from lab_cloud import Lab

SERVICE = "instar"
REGION = "RegionOne"


@dataclass
class InCatalogue(CloudPlane):
    """A control plane that asks the lab's Keystone, and is in its catalogue."""

    def configure(self, store_url: str | None = None) -> None:
        """Write `instar.conf` with Keystone's sections."""
        super().configure(store_url)
        enlist(self.lab, f"http://127.0.0.1:{self.port}/v1.0/%(project_id)s")
        account = account_of(self.lab, SERVICE, "service")
        lines = ["[keystone_authtoken]", "auth_type = password", *(f"{k} = {v}" for k, v in account.items())]
        file = self.home / "instar.conf"
        text = file.read_text().replace("[api]\n", "[api]\nauth = keystone\n")
        file.write_text("\n".join([text, *lines, ""]))

    @property
    def client(self) -> Client:
        """An administrator's client."""
        auth = v3.Password(**account_of(self.lab, "admin", "admin"))
        return Client(session=session.Session(auth=auth), region_name=REGION)

    def publish(self, image: Manifest) -> str:
        """Upload an image with the tests' account, and register its version with the administrator's."""
        found = self.upload(image, "--no-version")
        versions = {
            each.name: each
            for datastore in self.client.datastores.list()
            for each in datastore.versions
            if datastore.name == image.datastore
        }
        wanted = {"image": found, "upgrade_from": image.upgrade_from}
        if version := versions.get(image.version_name):
            self.client.versions.update(version, **wanted)
        else:
            wanted |= {"manager": image.manager, "version": image.engine_version}
            self.client.versions.create(image.datastore, image.version_name, **wanted)
        return found


def account_of(lab: Lab, user: str, project: str) -> dict[str, str]:
    """Give what an account of the lab logs in with; they all have its one password."""
    domains = {"user_domain_name": "Default", "project_domain_name": "Default"}
    url = lab.admin.config.config["auth"]["auth_url"]
    password = lab.admin.config.config["auth"]["password"]
    return {"auth_url": url, "username": user, "password": password, "project_name": project, **domains}


def enlist(lab: Lab, url: str) -> None:
    """Have an account of the control plane in Keystone, and the control plane in its catalogue at `url`."""
    identity = lab.admin.identity
    password = lab.admin.config.config["auth"]["password"]
    user = identity.find_user(SERVICE) or identity.create_user(
        name=SERVICE, domain_id="default", password=password
    )
    for role in ("admin", "service"):
        identity.assign_project_role_to_user(identity.find_project("service"), user, identity.find_role(role))
    service = identity.find_service(SERVICE) or identity.create_service(type="database", name=SERVICE)
    for endpoint in identity.endpoints(service_id=service.id):
        identity.delete_endpoint(endpoint)
    for interface in ("public", "internal", "admin"):
        identity.create_endpoint(service_id=service.id, region_id=REGION, interface=interface, url=url)
