"""Servers: Nova's, each with its name as a tag; `wishes.py` tells what their metadata mean.

Of two callers who make the same server, Cinder gives its volume to one, and the other finds the server that
has it; of two standbys, which have none, the one that was made first counts.
"""

import contextlib
import dataclasses
from collections.abc import Iterator
from functools import partial
from typing import Any

from openstack.exceptions import BadRequestException, ConflictException

from instar.control.providers.base import Handle, ServerInfo, ServerSpec
from instar.control.providers.openstack import failures, handles, states, user_data
from instar.control.providers.openstack.cloud import Cloud, oldest
from instar.control.providers.openstack.flavors import Flavors
from instar.control.providers.openstack.images import Images
from instar.control.providers.openstack.ports import Ports
from instar.control.providers.openstack.settings import OpenStackSettings
from instar.control.providers.openstack.volumes import AT_REST, Volumes
from instar.control.providers.openstack.wishes import DUE, RUNNING, STOPPED, Wishes
from instar.wire.agent import NETWORK_DATA
from instar.wire.errors import ProviderError
from instar.wire.states import ServerState

TAG = "instar"
RESIZED = "VERIFY_RESIZE"
"""Nova's word for a server that runs with its new size, and waits for that to be confirmed."""


class Servers:
    """The servers of the service account's project."""

    def __init__(
        self,
        cloud: Cloud,
        settings: OpenStackSettings,
        images: Images,
        flavors: Flavors,
        volumes: Volumes,
        ports: Ports,
    ) -> None:
        self._cloud, self._settings = cloud, settings
        self._images, self._flavors, self._volumes, self._ports = images, flavors, volumes, ports

    def find(self, name: str) -> Handle | None:
        """Find the server called `name`."""
        server = self._called(name)
        return handles.make("server", server.id, name) if server else None

    def ensure(self, spec: ServerSpec) -> ServerInfo:
        """Find or begin to make a server; a standby is told of the network that it takes over."""
        server = self._called(spec.name) or self._make(spec)
        return self.told(server.id)

    def inspect(self, handle: Handle) -> ServerInfo:
        """Tell what Nova says of a server; what is left to do after its rebuild or resize is done."""
        return self.told(handles.id_of(handle, "server"), handle)

    def destroy(self, handle: Handle) -> None:
        """Delete a server, and others of its name: of standbys that were made at once, one too many.

        Raises ProviderError, retryable, while it is not gone yet.
        """
        server_id, name = handles.id_of(handle, "server"), handle["name"]
        for other in self._all_called(name) if name else ():
            if other.id != server_id:
                self._cloud.ask("delete a server", partial(_delete, server=other))
        if self._get(server_id) is None:
            return
        self._cloud.ask("delete a server", partial(_delete, server=server_id))
        if not self._cloud.wait(lambda: True if self._get(server_id) is None else None):
            raise ProviderError(
                f"Server {handle['name']} is not deleted yet",
                seen=self.told(server_id).reason,
                remedy="wait; if nothing moves, nova-compute's log has the cause",
                retryable=True,
            )

    def attach(self, handle: Handle, volume: Handle) -> None:
        """Give a volume to a server."""
        server, volume_id = self.present(handle), handles.id_of(volume, "volume")
        attached = volumes_of(server)
        if attached not in ([], [volume_id]):
            raise ProviderError(f"Server {server.name} has a volume", seen=", ".join(attached))
        if not attached:
            self.give(server.id, volume_id)
        self._await_volume(volume_id, "in-use")

    def detach(self, handle: Handle, volume: Handle) -> None:
        """Take a volume from a server. Raises ProviderError while the server runs."""
        server, volume_id = self._get(handles.id_of(handle, "server")), handles.id_of(volume, "volume")
        if server is None or volume_id not in volumes_of(server):
            return
        if not states.is_stopped(server):
            raise ProviderError(
                f"Server {server.name} uses its volume", seen="it runs", remedy="stop the server first"
            )
        self.take(server.id, volume_id)
        self._await_volume(volume_id, "available")

    def take(self, server_id: str, volume_id: str) -> None:
        """Begin to take a volume from a server."""
        self._cloud.ask(
            "detach a volume", lambda api: api.compute.delete_volume_attachment(server_id, volume_id)
        )

    def give(self, server_id: str, volume_id: str) -> bool:
        """Begin to give a volume to a server; False when there is no such server."""
        begun = self._cloud.find(
            "attach a volume",
            lambda api: api.compute.create_volume_attachment(server_id, volume_id=volume_id),
        )
        return begun is not None

    def console(self, handle: Handle, lines: int) -> str:
        """Give the last lines that a server printed since its last rebuild."""
        server = self.present(handle)
        if lines <= 0:
            return ""
        more = lines + 1  # Nova counts what follows the last end of a line as one
        said = self._cloud.ask(
            "read a console", lambda api: api.compute.get_server_console_output(server, length=more)
        )
        return "\n".join(str(said["output"]).splitlines()[-lines:])

    def present(self, handle: Handle) -> Any:
        """Give Nova's record of a server. Raises ProviderError when it is gone."""
        server = self._get(handles.id_of(handle, "server"))
        if server is None:
            raise ProviderError("The server is gone", seen=f"Nova has no server {handle['id']}")
        return server

    def is_kept_stopped(self, server_id: str) -> bool:
        """Tell whether a server was stopped by us, and is to stay so; also one that is gone."""
        server = self._get(server_id)
        return server is None or (
            states.is_stopped(server) and Wishes.read(server.metadata).wanted == STOPPED
        )

    def down(self) -> list[Any]:
        """List the servers that are down, and that should run."""
        listed = self._cloud.ask(
            "list servers", lambda api: list(api.compute.servers(status="SHUTOFF", tags=TAG))
        )
        return [
            each
            for each in listed
            if states.is_stopped(each) and Wishes.read(each.metadata).wanted == RUNNING
        ]

    def start(self, server: Any) -> None:
        """Start a server that is down; one that somebody else has started meanwhile is left alone."""

        def begin(api: Any) -> None:
            with contextlib.suppress(ConflictException):
                api.compute.start_server(server)

        known = Wishes.read(server.metadata)
        if known.start:
            self.wish(server, known, start="")
        self._cloud.ask("start a server", begin)

    # -- how it is done

    def told(self, server_id: str, handle: Handle | None = None) -> ServerInfo:
        """Tell what Nova says of a server by its id."""
        server = self._get(server_id)
        if server is None:
            return ServerInfo(handle or handles.make("server", server_id, ""), ServerState.MISSING)
        known = Wishes.read(server.metadata)
        if known.start == DUE and states.is_stopped(server):
            self.start(server)
        elif server.status == RESIZED and not states.is_busy(server):
            self._cloud.ask("confirm a resize", lambda api: _confirm(api, server))
        else:
            return states.info(server, known, self._flavors.id_of(server.flavor.original_name))
        server = self.present(handles.make("server", server_id, states.name_of(server)))
        known = Wishes.read(server.metadata)
        return states.info(server, known, self._flavors.id_of(server.flavor.original_name))

    def _called(self, name: str) -> Any | None:
        return oldest(self._all_called(name))

    def _all_called(self, name: str) -> list[Any]:
        listed = self._cloud.ask("look for a server", lambda api: list(api.compute.servers(tags=name)))
        return [each for each in listed if each.status != "DELETED"]

    def _get(self, server_id: str) -> Any | None:
        server = self._cloud.find("look at a server", lambda api: api.compute.get_server(server_id))
        return None if server is None or server.status == "DELETED" else server

    def _make(self, spec: ServerSpec) -> Any:
        settings, image = self._settings, self._images.usable(spec.image)
        coming = {NETWORK_DATA: self._ports.network_data(spec.takes_over)} if spec.takes_over else {}
        packed = user_data.make(image, {**spec.files, **coming})
        wanted = {
            "name": spec.title.strip() or spec.name,
            "hostname": spec.port.hostname.split(".")[0] or None,
            "flavor_id": spec.flavor.id,
            "image_id": spec.image,
            "networks": [{"port": handles.id_of(spec.port.handle, "port")}],
            "block_device_mapping": list(_disks(spec)),
            "config_drive": True,
            "user_data": packed,
            "metadata": Wishes(name=spec.name, image=spec.image).metadata(),
            "tags": [TAG, spec.name],
            "key_name": settings.key_name,
            "availability_zone": settings.availability_zone,
        }
        wanted = {option: value for option, value in wanted.items() if value is not None}

        def begin(api: Any) -> Any:
            try:
                return api.compute.create_server(**wanted)
            except (BadRequestException, ConflictException) as error:
                return error

        made = self._cloud.ask("make a server", begin)
        if not isinstance(made, Exception):
            return made if spec.volume else self._choose(spec.name, made)
        if server := self._called(spec.name):
            return server
        raise failures.told("make a server", made) from made

    def _choose(self, name: str, made: Any) -> Any:
        """Of standbys that were made at once give the one that counts, and delete ours if it is another."""
        first = self._called(name) or made
        if first.id != made.id:
            self._cloud.ask("delete a server", partial(_delete, server=made.id))
        return first

    def wish(self, server: Any, known: Wishes, **changes: str) -> Wishes:
        """Write down what is wanted of a server now."""
        wanted = dataclasses.replace(known, **changes)
        told = {name: text for name, text in wanted.metadata().items() if text != known.metadata()[name]}
        self._cloud.ask("mark a server", lambda api: api.compute.set_server_metadata(server, **told))
        return wanted

    def _await_volume(self, volume_id: str, status: str) -> None:
        if not self._volumes.becomes(volume_id, status):
            raise ProviderError(
                f"Volume {volume_id} is not {status} yet",
                seen=f"it should be one of {', '.join(AT_REST)}",
                remedy="wait; if nothing moves, nova-compute's log has the cause",
                retryable=True,
            )


def _disks(spec: ServerSpec) -> Iterator[dict[str, Any]]:
    """Describe a server's disks for Nova: the root disk, and the volume unless it is a standby."""
    yield {
        "boot_index": 0,
        "uuid": spec.image,
        "source_type": "image",
        "destination_type": "local",
        "delete_on_termination": True,
    }
    if spec.volume:
        yield {
            "boot_index": None,
            "uuid": handles.id_of(spec.volume, "volume"),
            "source_type": "volume",
            "destination_type": "volume",
            "delete_on_termination": False,
        }


def _delete(api: Any, server: Any) -> None:
    api.compute.delete_server(server)


def _confirm(api: Any, server: Any) -> None:
    with contextlib.suppress(BadRequestException, ConflictException):  # somebody else was faster
        api.compute.confirm_server_resize(server)


def volumes_of(server: Any) -> list[str]:
    """List the ids of a server's volumes."""
    return [str(each.id) for each in server.attached_volumes]
