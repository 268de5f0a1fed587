"""The network of a port, for the guest that gets it as a card while it runs: as a config drive would tell it.

Nova writes a config drive when a server is made or rebuilt, and never for a card that is plugged in later.
The format is that of OpenStack's `network_data.json`.
"""

import ipaddress
import json
from collections.abc import Iterator
from typing import Any

from instar.control.providers.openstack.cloud import Cloud

Described = dict[str, Any]


def describe(cloud: Cloud, port: Any) -> str:
    """Describe a port's card and its fixed addresses, in JSON."""
    network = cloud.find("look at a network", lambda api: api.network.get_network(port.network_id))
    link = {"id": port.id, "type": "phy", "ethernet_mac_address": port.mac_address}
    mtu = {"mtu": network.mtu} if network and network.mtu else {}
    networks = [_network(cloud, port.id, each) for each in port.fixed_ips]
    return json.dumps({"links": [{**link, **mtu}], "networks": networks, "services": []})


def _network(cloud: Cloud, link: str, fixed: dict[str, str]) -> Described:
    subnet = cloud.ask("look at a subnet", lambda api: api.network.get_subnet(fixed["subnet_id"]))
    services = [{"type": "dns", "address": each} for each in subnet.dns_nameservers or []]
    return {
        "link": link,
        "type": f"ipv{subnet.ip_version}",
        "ip_address": fixed["ip_address"],
        "netmask": str(ipaddress.ip_network(subnet.cidr).netmask),
        "routes": list(_routes(subnet)),
        "services": services,
    }


def _routes(subnet: Any) -> Iterator[Described]:
    if subnet.gateway_ip:
        everything = ipaddress.ip_network("0.0.0.0/0" if subnet.ip_version == 4 else "::/0")
        yield _route(everything, subnet.gateway_ip)
    for route in subnet.host_routes or []:
        yield _route(ipaddress.ip_network(route["destination"]), route["nexthop"])


def _route(target: ipaddress.IPv4Network | ipaddress.IPv6Network, gateway: str) -> Described:
    return {"network": str(target.network_address), "netmask": str(target.netmask), "gateway": gateway}
