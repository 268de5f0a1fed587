"""The bridge network of an installation: a subnet of its own, so that no address is given twice."""

import functools
import ipaddress
import logging
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docker.types import IPAMConfig, IPAMPool

from instar.control.providers.directories import records
from instar.control.providers.podman.engine import Engine, NoAnswerError
from instar.wire.errors import ProviderError

RESERVED = 2
"""Addresses at a subnet's beginning that are no server's: the network's own and the host's."""
LAST_RESORT = 2**32 - 1
"""Metric of a route that every other one goes before."""
_log = logging.getLogger(__name__)


class Network:
    """The network called `name`; its subnet stands in `network.json`, since addresses depend on it."""

    def __init__(
        self, engine: Engine, directory: Path, name: str, labels: dict[str, str], subnets: str, prefix: int
    ) -> None:
        self.name = name
        self._engine, self._labels = engine, labels
        self._file, self._lock = directory / "network.json", directory / "network.lock"
        self._subnets, self._prefix = ipaddress.ip_network(subnets), prefix

    def ensure(self) -> str:
        """Find or make the network, and give its subnet. Raises ProviderError when none is free."""
        with records.locked(self._lock):
            known = (records.read(self._file) or {}).get("subnet")
            subnet = self._present() or self._make([known] if known else list(self._free()))
            if subnet != known:
                records.write(self._file, {"subnet": subnet})
            _fence(subnet)
            return subnet

    def _present(self) -> str | None:
        found = self._engine.find("find our network", lambda api: api.inspect_network(self.name))
        return str(found["IPAM"]["Config"][0]["Subnet"]) if found else None

    def _make(self, candidates: list[str]) -> str:
        refusal: ProviderError | None = None
        for subnet in candidates:
            try:
                self._engine.ask("make our network", functools.partial(self._create, subnet))
                return subnet
            except NoAnswerError:
                raise
            except ProviderError as error:  # somebody else was faster, or the host has such addresses
                refusal = error
        raise ProviderError(
            f"There is no subnet for network {self.name}",
            seen=refusal.body.seen if refusal else f"every part of {self._subnets} is in use",
            remedy="remove networks that are not used any more, or set option subnets of section [podman]",
        )

    def _create(self, subnet: str, api: Any) -> None:
        pools = IPAMConfig(pool_configs=[IPAMPool(subnet=subnet)])
        api.create_network(self.name, driver="bridge", ipam=pools, labels=self._labels)

    def _free(self) -> Iterator[str]:
        """Give subnets that no network of the engine overlaps; where we begin follows from our name."""
        networks = self._engine.ask("list its networks", lambda api: api.networks())
        pools = [pool for each in networks for pool in (each.get("IPAM") or {}).get("Config") or []]
        taken = [ipaddress.ip_network(pool["Subnet"]) for pool in pools if pool.get("Subnet")]
        bits = self._prefix - self._subnets.prefixlen
        size = 1 << (self._subnets.max_prefixlen - self._prefix)
        begin = zlib.crc32(self.name.encode())
        for step in range(1 << bits):
            first = self._subnets[((begin + step) % (1 << bits)) * size]
            subnet = ipaddress.ip_network(f"{first}/{self._prefix}")
            if not any(other.version == subnet.version and other.overlaps(subnet) for other in taken):
                yield str(subnet)


def _fence(subnet: str) -> None:
    """Have the subnet's addresses lead nowhere while its bridge is away, as it is when no container runs.

    Else the host would look for servers that are down by its default route, and might find strangers there,
    whom clients on the host would tell their passwords. The bridge's own route goes before this one.
    """
    route = ["ip", "route", "replace", "unreachable", subnet, "metric", str(LAST_RESORT)]
    try:
        subprocess.run(route, check=True, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        _log.warning(
            "addresses of servers that are down lead off this host: subnet=%s error=%s", subnet, said
        )
