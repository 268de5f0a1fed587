"""A security group of its own for each port: who may reach the database, and who the guest agent."""

import functools
import ipaddress
from collections.abc import Iterator, Sequence
from typing import Any

from openstack.exceptions import ConflictException

from instar.control.providers.openstack.cloud import Cloud, oldest
from instar.control.providers.openstack.settings import OpenStackSettings
from instar.wire.errors import ProviderError

Rule = dict[str, Any]
INGRESS = "ingress"


class SecurityGroups:
    """Groups have the name of their port."""

    def __init__(self, cloud: Cloud, settings: OpenStackSettings) -> None:
        self._cloud, self._settings = cloud, settings

    def ensure(self, name: str) -> str:
        """Find or make the group called `name`, with all its rules; gives its id."""
        group = oldest(self._called(name)) or self._make(name)
        self._add(group, self._settings.client_sources)
        return str(group.id)

    def limit(self, name: str, sources: Sequence[str]) -> None:
        """Let in clients from these ranges only, from the configured ones when there are none. Repeatable."""
        group = oldest(self._called(name))
        if group is None:
            raise ProviderError("The port is gone", seen=f"Neutron has no security group {name}")
        self._add(group, sources or self._settings.client_sources)
        wanted = [_opens(rule) for rule in self._rules(group, sources or self._settings.client_sources)]
        for rule in group.security_group_rules or []:
            if rule["direction"] == INGRESS and _opens(rule) not in wanted:
                self._cloud.ask("close a security group", functools.partial(_remove, rule=rule))

    def destroy(self, name: str) -> None:
        """Delete every group called `name`; its port has to be gone."""
        for group in self._called(name):
            self._cloud.ask("delete a security group", functools.partial(_delete, group=group))

    def _called(self, name: str) -> list[Any]:
        which = {"name": name, "project_id": self._cloud.project}
        return self._cloud.ask(
            "look for a security group", lambda api: list(api.network.security_groups(**which))
        )

    def _make(self, name: str) -> Any:
        about = "who may reach a database instance; made and deleted with it by Instar"
        return self._cloud.ask(
            "make a security group",
            lambda api: api.network.create_security_group(name=name, description=about),
        )

    def _add(self, group: Any, clients: Sequence[str]) -> None:
        """Make the rules that a group lacks."""
        there = [_opens(rule) for rule in group.security_group_rules or []]
        lacking = [rule for rule in self._rules(group, clients) if _opens(rule) not in there]
        if lacking:
            self._cloud.ask("open a security group", functools.partial(_add, rules=lacking))

    def _rules(self, group: Any, clients: Sequence[str]) -> Iterator[Rule]:
        settings = self._settings
        for port in settings.database_ports:
            yield from (_rule(group.id, port, source) for source in clients)
        yield from (_rule(group.id, settings.agent_port, source) for source in settings.agent_sources)


def _rule(group: str, port: int, source: str) -> Rule:
    network = ipaddress.ip_network(source)
    return {
        "security_group_id": group,
        "direction": INGRESS,
        "ether_type": f"IPv{network.version}",
        "protocol": "tcp",
        "port_range_min": port,
        "port_range_max": port,
        "remote_ip_prefix": str(network),
    }


def _remove(api: Any, rule: Rule) -> None:
    api.network.delete_security_group_rule(rule["id"])


def _delete(api: Any, group: Any) -> None:
    api.network.delete_security_group(group.id)


def _opens(rule: Rule) -> tuple[Any, ...]:
    """Tell what a rule lets in, in Neutron's own words or ours."""
    return tuple(
        rule.get(part) for part in ("direction", "port_range_min", "port_range_max", "remote_ip_prefix")
    )


def _add(api: Any, rules: list[Rule]) -> None:
    try:
        list(api.network.create_security_group_rules(rules))
    except ConflictException as error:  # somebody else made the group's rules just now
        if "already exists" not in str(error.details):
            raise
