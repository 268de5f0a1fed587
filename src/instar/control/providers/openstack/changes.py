"""Changes of a server: each is begun once for its token, and told by the next look.

Nova admits one change of a server at a time: of two callers who begin the same one, the second is refused.
A rebuild writes its token down in the request that begins it. A reboot or stop writes it down first; whether
a reboot was begun after that, Nova's own list of what was done to the server tells.
"""

import contextlib
import dataclasses
from typing import Any

from openstack.exceptions import ConflictException

from instar.control.providers.base import FlavorSpec, Handle, Progress, ServerInfo
from instar.control.providers.openstack import states, user_data, wishes
from instar.control.providers.openstack.cloud import Cloud
from instar.control.providers.openstack.images import Images
from instar.control.providers.openstack.servers import Servers
from instar.control.providers.openstack.wishes import DUE, RUNNING, STOPPED, Wishes
from instar.wire.errors import BadRequest, ProviderError

_POWER = {"create", "rebuild", "reboot", "start", "stop"}
"""Nova's actions after which other processes run than before."""


class Changes:
    """What is done to servers that are there."""

    def __init__(self, cloud: Cloud, images: Images, servers: Servers) -> None:
        self._cloud, self._images, self._servers = cloud, images, servers

    def stage(self, handle: Handle, ref: str) -> Progress:
        """See that an image can be used: Nova brings it to the host when the server is rebuilt."""
        self._servers.present(handle)
        self._images.usable(ref)
        return Progress(done=True)

    def rebuild(self, handle: Handle, ref: str, files: dict[str, str], token: str) -> ServerInfo:
        """Have Nova rebuild a server; once for each token, however often and late it comes."""
        _check_token(token, "rebuild")
        image = self._images.usable(ref)
        packed = user_data.make(image, files)
        server = self._servers.present(handle)
        known = Wishes.read(server.metadata)
        if not wishes.knows(known.rebuilds, token) or self._is_to_be_tried_again(server, known, token):
            wanted = dataclasses.replace(
                known,
                image=ref,
                token=token,
                rebuilds=known.rebuilds
                if wishes.is_newest(known.rebuilds, token)
                else wishes.remember(known.rebuilds, token),
                wanted=RUNNING,
                start=DUE if states.is_stopped(server) else "",
                told="",
            )
            metadata = {**server.metadata, **wanted.metadata()}
            self._cloud.ask(
                "rebuild a server",
                lambda api: api.compute.rebuild_server(
                    server, image=ref, user_data=packed, metadata=metadata
                ),
            )
        return self._servers.told(server.id)

    def reboot(self, handle: Handle, token: str) -> ServerInfo:
        """Boot a server again; once for each token."""
        _check_token(token, "reboot")
        server = self._servers.present(handle)
        known = Wishes.read(server.metadata)
        if not wishes.knows(known.reboots, token):
            reboots = wishes.remember(known.reboots, token)
            changes = {"reboots": reboots, "wanted": RUNNING, "start": ""}
            known = self._servers.wish(server, known, **changes, reboot=self._newest_action(server))
        if (
            wishes.is_newest(known.reboots, token)
            and known.wanted == RUNNING
            and not self._acted(server, known)
        ):
            how = "SOFT" if server.status == "ACTIVE" else "HARD"
            self._cloud.ask("reboot a server", lambda api: api.compute.reboot_server(server, how))
        return self._servers.told(server.id)

    def stop(self, handle: Handle, token: str) -> ServerInfo:
        """End a server and keep it so; once for each token. Raises ProviderError while it runs on."""
        _check_token(token, "stop")
        server = self._servers.present(handle)
        known = Wishes.read(server.metadata)
        if not wishes.knows(known.stops, token):
            stops = wishes.remember(known.stops, token)
            known = self._servers.wish(server, known, stops=stops, wanted=STOPPED, start="")
        if known.wanted == STOPPED and not self._cloud.wait(lambda: self._is_ended(handle)):
            info = self._servers.told(server.id)
            raise ProviderError(
                f"Server {server.name} would not end",
                seen=info.reason or f"it is {info.state}",
                remedy="wait; Nova ends by force what does not shut down within its shutdown_timeout",
                retryable=True,
            )
        return self._servers.told(server.id)

    def resize(self, handle: Handle, flavor: FlavorSpec) -> ServerInfo:
        """Have Nova give a server another size; one that has it, or is on its way to it, is left alone."""
        server = self._servers.present(handle)
        if states.is_stopped(server):
            raise ProviderError(f"Server {server.name} is stopped", remedy="start it first")
        if server.status == "ACTIVE" and server.flavor.original_name != flavor.name:
            self._cloud.ask("resize a server", lambda api: api.compute.resize_server(server, flavor.id))
        return self._servers.told(server.id)

    # -- how it is done

    def _is_to_be_tried_again(self, server: Any, known: Wishes, token: str) -> bool:
        """Tell whether the last rebuild failed and that was told before; the first time it is told."""
        if server.status != "ERROR" or states.is_busy(server) or not wishes.is_newest(known.rebuilds, token):
            return False
        if known.told == token:
            return True
        self._servers.wish(server, known, told=token)
        return False

    def _is_ended(self, handle: Handle) -> bool | None:
        """Have a server go down that is not, unless Nova is at work on it; True once it is down."""
        server = self._servers.present(handle)
        if states.is_stopped(server):
            return True
        if not states.is_busy(server):
            self._cloud.ask("stop a server", lambda api: _stop(api, server))
        return None

    def _newest_action(self, server: Any) -> str:
        return next((action.request_id for action in self._actions(server)), "")

    def _acted(self, server: Any, known: Wishes) -> bool:
        """Tell whether the server was booted again, or stopped, since its last reboot was asked for."""
        return self._newest_action(server) != known.reboot

    def _actions(self, server: Any) -> list[Any]:
        """List Nova's actions that matter here, newest first."""
        listed = self._cloud.ask(
            "read a server's actions", lambda api: list(api.compute.server_actions(server))
        )
        newest_first = sorted(listed, key=lambda action: action.start_time, reverse=True)
        return [action for action in newest_first if action.action in _POWER]


def _stop(api: Any, server: Any) -> None:
    with contextlib.suppress(ConflictException):  # somebody else was faster: the next look tells
        api.compute.stop_server(server)


def _check_token(token: str, what: str) -> None:
    if not token:
        raise BadRequest(f"token: a {what} needs a name")
