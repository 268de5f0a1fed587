"""Where ports are: the network and subnet that the configuration names."""

import threading
from dataclasses import dataclass
from typing import Any

from instar.control.providers.openstack.cloud import Cloud
from instar.control.providers.openstack.settings import OpenStackSettings
from instar.wire.errors import ProviderError


@dataclass(frozen=True)
class Place:
    """Ids of the network, of the subnet if one is wanted, and of the operator's own security groups."""

    network: str
    subnet: str | None
    security_groups: tuple[str, ...]


class Networks:
    """Finds the configured network once."""

    def __init__(self, cloud: Cloud, settings: OpenStackSettings) -> None:
        self._cloud, self._settings = cloud, settings
        self._lock = threading.Lock()
        self._place: Place | None = None

    def place(self) -> Place:
        """Give the ids. Raises ProviderError naming the option when what it says is not there."""
        with self._lock:
            if self._place is None:
                self._place = self._look()
            return self._place

    def _look(self) -> Place:
        settings = self._settings
        network = self._find("network", settings.network)
        return Place(
            network=network,
            subnet=self._find("subnet", settings.subnet, network_id=network) if settings.subnet else None,
            security_groups=tuple(
                self._find("security_group", name, project_id=self._cloud.project)
                for name in settings.security_groups
            ),
        )

    def _find(self, kind: str, wanted: str, **which: str) -> str:
        def look(api: Any) -> Any:
            return getattr(api.network, f"find_{kind}")(wanted, **which)

        words, option = kind.replace("_", " "), "security_groups" if kind == "security_group" else kind
        found = self._cloud.ask(f"find {words} {wanted}", look) if wanted else None
        if found is None:
            raise ProviderError(
                f"There is no {words} {wanted!r}" if wanted else f"No {words} is configured",
                seen=f"project {self._cloud.project} sees none of that name or id",
                remedy=f"name one in option {option} of section [openstack]",
            )
        return str(found.id)
