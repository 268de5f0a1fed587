"""Network identities: an address for each server, so that each has the standard ports."""

import ipaddress
import zlib
from pathlib import Path
from typing import Any

from instar.control.providers.base import Handle, Port
from instar.control.providers.directories import records
from instar.control.providers.directories.handles import Handles, key_of
from instar.wire.errors import ProviderError


class Ports:
    """The addresses handed out, in one file under `directory`.

    Where the search for a free address begins follows from the directory, so that two control planes on one
    machine stay apart; it goes on from the address given last, so that one given back rests for long. The
    first `reserved` addresses of the range and the last one are no server's.
    """

    def __init__(self, directory: Path, handles: Handles, address_range: str, reserved: int = 1) -> None:
        self._file, self._lock = directory / "ports.json", directory / "ports.lock"
        self._handles, self._reserved = handles, reserved
        self._network = ipaddress.ip_network(address_range)
        self._begin = zlib.crc32(str(directory.absolute()).encode())

    def find(self, name: str) -> Handle | None:
        """Find the port called `name`."""
        return self._handles.make("port", name) if key_of(name) in self._read()["ports"] else None

    def ensure(self, name: str, hostname: str) -> Port:
        """Find or make the port called `name`. Raises ProviderError when every address is taken."""
        handle = self._handles.make("port", name)
        with records.locked(self._lock):
            state = self._read()
            port = state["ports"].get(handle["key"])
            if port is None:
                state["last"] = self._next(state)
                port = {"name": name, "hostname": hostname, "address": str(self._network[state["last"]])}
                state["ports"][handle["key"]] = port
                records.write(self._file, state)
        return Port(handle, port["address"], port["hostname"])

    def destroy(self, handle: Handle) -> None:
        """Give an address back."""
        with records.locked(self._lock):
            state = self._read()
            if state["ports"].pop(self._handles.key(handle, "port"), None):
                records.write(self._file, state)

    def _read(self) -> dict[str, Any]:
        return records.read(self._file) or {"ports": {}, "last": None}

    def _next(self, state: dict[str, Any]) -> int:
        usable = self._network.num_addresses - self._reserved - 1
        taken = {port["address"] for port in state["ports"].values()}
        begin = self._begin if state["last"] is None else state["last"]
        for step in range(min(usable, len(taken) + 1)):
            index = (begin - self._reserved + 1 + step) % usable + self._reserved
            if str(self._network[index]) not in taken:
                return index
        raise ProviderError(
            f"Every address of {self._network} is in use",
            seen=f"{len(taken)} ports",
            remedy="delete an instance, or give the provider a larger address range",
        )
