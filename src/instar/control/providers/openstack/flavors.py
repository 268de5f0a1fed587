"""Flavors: Nova's, or those of them that the configuration names."""

import threading
import time
from collections.abc import Sequence
from typing import Any

from instar.control.providers.base import FlavorSpec
from instar.control.providers.openstack.cloud import Cloud, is_named

KEPT = 60.0
"""Seconds that Nova's answer is kept: the API asks for flavors at every request that names one."""


class Flavors:
    """The sizes on offer, smallest first."""

    def __init__(self, cloud: Cloud, offered: Sequence[str]) -> None:
        self._cloud, self._offered = cloud, offered
        self._lock = threading.Lock()
        self._known: list[FlavorSpec] = []
        self._until = 0.0

    def all(self) -> list[FlavorSpec]:
        """List them."""
        return [size for size in self._look() if self._is_offered(size)]

    def id_of(self, name: str) -> str | None:
        """Find a flavor's id by its name, all that Nova tells of a server's; None for an unknown one."""
        return next((size.id for size in self._look() if size.name == name), None)

    def _look(self) -> list[FlavorSpec]:
        with self._lock:
            if time.monotonic() > self._until:
                listed = self._cloud.ask("list flavors", lambda api: list(api.compute.flavors()))
                sizes = [_spec(each) for each in listed]
                self._known = sorted(sizes, key=lambda size: (size.ram, size.vcpus, size.disk, size.id))
                self._until = time.monotonic() + KEPT
            return self._known

    def _is_offered(self, flavor: FlavorSpec) -> bool:
        return not self._offered or any(is_named(wanted, flavor) for wanted in self._offered)


def _spec(flavor: Any) -> FlavorSpec:
    return FlavorSpec(flavor.id, flavor.name, flavor.ram, flavor.vcpus, flavor.disk)
