"""A security group of its own for each port: who may reach the database, and who the guest agent."""

import functools
import ipaddress
from collections.abc import Iterator
from typing import Any

from openstack.exceptions import ConflictException

from instar.control.providers.openstack.cloud import Cloud, oldest
from instar.control.providers.openstack.settings import OpenStackSettings

Rule = dict[str, Any]


class SecurityGroups:
    """Groups have the name of their port."""

    def __init__(self, cloud: Cloud, settings: OpenStackSettings) -> None:
        self._cloud, self._settings = cloud, settings

    def ensure(self, name: str) -> str:
        """Find or make the group called `name`, with all its rules; gives its id."""
        group = oldest(self._called(name)) or self._make(name)
        there = [_opens(rule) for rule in group.security_group_rules or []]
        lacking = [rule for rule in self._rules(str(group.id)) if _opens(rule) not in there]
        if lacking:
            self._cloud.ask("open ports in a security group", functools.partial(_add, rules=lacking))
        return str(group.id)

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

    def _rules(self, group: str) -> Iterator[Rule]:
        settings = self._settings
        for port in settings.database_ports:
            yield from (_rule(group, port, source) for source in settings.client_sources)
        yield from (_rule(group, settings.agent_port, source) for source in settings.agent_sources)


def _rule(group: str, port: int, source: str) -> Rule:
    return {
        "security_group_id": group,
        "direction": "ingress",
        "ether_type": f"IPv{ipaddress.ip_network(source).version}",
        "protocol": "tcp",
        "port_range_min": port,
        "port_range_max": port,
        "remote_ip_prefix": source,
    }


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
