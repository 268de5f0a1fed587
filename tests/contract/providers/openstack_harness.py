"""The openstack provider in the lab, with the lab's guests, and a look behind it."""

from pathlib import Path
from typing import Any

from harnesses import FILES, PARAMETERS

from instar.control.providers.base import Handle
from instar.control.providers.openstack.provider import OpenStackProvider
from instar.wire.agent import Manifest
from lab_cloud import ADDRESSES, settings, the_lab

SCRIBBLE = "/scribble"
VERSIONS = {"1": "old", "2": "new"}


class OpenStackHarness:
    """The guests write `VERSION HOSTNAME` into a file of their volume at each boot."""

    addresses = ADDRESSES

    def __init__(self, _directory: Path) -> None:
        self.lab = the_lab()
        self.settings = settings(self.lab)
        self.images = [
            self.lab.guest_image(1, manifest("old")),
            self.lab.guest_image(2, manifest("new"), PARAMETERS),
        ]
        self._refs = dict(zip(VERSIONS, self.images, strict=True))
        self.provider = OpenStackProvider(self.settings)

    def reopen(self) -> OpenStackProvider:
        return OpenStackProvider(self.settings)

    def write(self, volume: Handle, name: str, text: str) -> None:
        if server := self._server_at_work(volume):
            self.lab.run(server, f"cat > /data/{name} && sync", text)
            return
        with self.lab.mounted(volume["id"]) as place:
            (place / name).write_text(text)

    def read(self, volume: Handle, name: str) -> str | None:
        if server := self._server_at_work(volume):
            said = self.lab.run(server, f"test ! -e /data/{name} || (printf + && cat /data/{name})")
            return said[1:] if said else None
        with self.lab.mounted(volume["id"]) as place:
            path = place / name
            return path.read_text() if path.exists() else None

    def scribble(self, server: Handle) -> None:
        self.lab.run(server["id"], f"touch {SCRIBBLE}; sync")

    def has_scribble(self, server: Handle) -> bool:
        return self.lab.run(server["id"], f"test -e {SCRIBBLE} && echo yes || echo no").strip() == "yes"

    def injected(self, server: Handle) -> dict[str, str]:
        return {name: self.lab.run(server["id"], f"cat /{name}") for name in FILES}

    def cut_power(self, server: Handle) -> None:
        self.lab.run(server["id"], "sync")  # a power cut takes what no disk has, such as that it has booted
        self.lab.power_off(server["id"])

    def boots(self, volume: Handle) -> list[str]:
        if server := self._server_at_work(volume):
            lines = self.lab.status(server)["boots"]
        else:
            lines = (self.read(volume, "boots") or "").splitlines()
        return [self._refs[line.split()[0]] for line in lines if line]

    def damage(self, image: str) -> None:
        self.lab.admin.image.deactivate_image(image)

    def close(self) -> None:
        self.lab.clear()

    def _server_at_work(self, volume: Handle) -> str | None:
        """Give the id of the server that has the volume mounted."""
        record: Any = self.lab.mine.block_storage.get_volume(volume["id"])
        if not record.attachments:
            return None
        server = self.lab.mine.compute.get_server(record.attachments[0]["server_id"])
        return None if server.status == "SHUTOFF" else str(server.id)


def manifest(name: str) -> Manifest:
    """Describe one of the lab's guests."""
    return Manifest(
        recipe=name, datastore="toy", manager="toy", engine_version="1", version_name=name, agent_version="1"
    )
