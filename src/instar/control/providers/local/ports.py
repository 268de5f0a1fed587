"""Network identities: an address in 127.0.0.0/8 for each server, so that each has the standard ports."""

import ipaddress
import zlib
from pathlib import Path
from typing import Any

from instar.control.providers.base import Handle, Port
from instar.control.providers.local import handles
from instar.control.providers.local.machine import records
from instar.wire.errors import ProviderError


class Ports:
    """The addresses handed out, in one file under `directory`.

    Where the search for a free address begins follows from the directory, so that two control planes on one
    machine stay apart; it goes on from the address given last, so that one given back rests for long.
    """

    def __init__(self, directory: Path, address_range: str) -> None:
        self._file, self._lock = directory / "ports.json", directory / "ports.lock"
        self._network = ipaddress.ip_network(address_range)
        self._begin = zlib.crc32(str(directory.absolute()).encode())

    def find(self, name: str) -> Handle | None:
        """Find the port called `name`."""
        return handles.make("port", name) if handles.key_of(name) in self._read()["ports"] else None

    def ensure(self, name: str, hostname: str) -> Port:
        """Find or make the port called `name`. Raises ProviderError when every address is taken."""
        handle = handles.make("port", name)
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
            if state["ports"].pop(handles.key(handle, "port"), None):
                records.write(self._file, state)

    def _read(self) -> dict[str, Any]:
        return records.read(self._file) or {"ports": {}, "last": None}

    def _next(self, state: dict[str, Any]) -> int:
        usable = self._network.num_addresses - 2  # the first and the last are no host's
        taken = {port["address"] for port in state["ports"].values()}
        begin = self._begin if state["last"] is None else state["last"]
        for step in range(min(usable, len(taken) + 1)):
            index = (begin + step) % usable + 1
            if str(self._network[index]) not in taken:
                return index
        raise ProviderError(
            f"Every address of {self._network} is in use",
            seen=f"{len(taken)} ports",
            remedy="delete an instance, or give the local provider a larger address range",
        )
