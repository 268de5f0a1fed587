#!/usr/bin/python3
"""What a test wants to find: agents alive, a network, a flavour, images.

usage: lab-resources.py STATE_DIR NET_PREFIX SINCE DHCP        (idempotent)

SINCE: seconds since 1970; an agent's sign of life counts only from then on.
DHCP: 1 if the network hands out leases, 0 if guests read the config drive.
"""

import calendar
import os
import sys
import time

import openstack
from openstack import config


def connect(clouds_yaml, cloud):
    loader = config.OpenStackConfig(config_files=[clouds_yaml])
    return openstack.connection.Connection(config=loader.get_one(cloud=cloud))


def wait_for(what, ready, seconds=180):
    end = time.time() + seconds
    while True:
        try:
            if ready():
                return
            why = "not there yet"
        except Exception as e:  # an API that is still starting
            why = e
        if time.time() > end:
            sys.exit(f"{what}: {why}")
        time.sleep(1)


def seen_since(since, stamp):
    """Is this UTC time, as one of the APIs writes it, at or after since?"""
    text = (stamp or "1970-01-01 00:00:00").replace("T", " ")[:19]
    return calendar.timegm(time.strptime(text, "%Y-%m-%d %H:%M:%S")) >= since


def main(state, prefix, since, dhcp):
    clouds_yaml, since, dhcp = f"{state}/clouds.yaml", int(since), dhcp == "1"
    admin = connect(clouds_yaml, "lab-admin")
    demo = connect(clouds_yaml, "lab")

    def agents_alive():
        alive = {
            a.binary for a in admin.network.agents() if a.is_alive and seen_since(since, a.last_heartbeat_at)
        }
        return {"neutron-linuxbridge-agent"} | ({"neutron-dhcp-agent"} if dhcp else set()) <= alive

    def up(proxy, *binaries):
        services = proxy.get("/os-services").json()["services"]
        return set(binaries) <= {
            s["binary"] for s in services if s["state"] == "up" and seen_since(since, s["updated_at"])
        }

    wait_for("Neutron agents", agents_alive)
    # A scheduler that has not heard of the pool yet puts new volumes in error.
    wait_for("Cinder pool", lambda: list(admin.block_storage.backend_pools()))
    wait_for("Nova services", lambda: up(admin.compute, "nova-compute", "nova-scheduler", "nova-conductor"))
    wait_for("Cinder services", lambda: up(admin.block_storage, "cinder-volume", "cinder-scheduler"))

    project = demo.current_project_id
    net = admin.network.find_network("lab-net") or admin.network.create_network(
        name="lab-net", project_id=project, provider_network_type="flat", provider_physical_network="lab"
    )
    subnet = demo.network.find_subnet("lab-subnet")
    if subnet and subnet.is_dhcp_enabled != dhcp:
        demo.network.update_subnet(subnet, is_dhcp_enabled=dhcp)
    if not subnet:
        demo.network.create_subnet(
            name="lab-subnet",
            network_id=net.id,
            ip_version=4,
            cidr=f"{prefix}.0/24",
            gateway_ip=f"{prefix}.1",
            is_dhcp_enabled=dhcp,
            allocation_pools=[{"start": f"{prefix}.100", "end": f"{prefix}.199"}],
        )
    if not dhcp:  # else Nova, seeing a DHCP port, tells guests to ask there
        for port in admin.network.ports(network_id=net.id, device_owner="network:dhcp"):
            admin.network.delete_port(port)
        for agent in admin.network.agents(binary="neutron-dhcp-agent"):
            admin.network.delete_agent(agent)
    group = demo.network.find_security_group("lab-open")
    if not group:
        group = demo.network.create_security_group(name="lab-open")
        for protocol, port in ("icmp", None), ("tcp", 22), ("tcp", 80):
            demo.network.create_security_group_rule(
                security_group_id=group.id,
                direction="ingress",
                protocol=protocol,
                port_range_min=port,
                port_range_max=port,
            )

    if not admin.compute.find_flavor("lab.small"):
        admin.compute.create_flavor(name="lab.small", vcpus=1, ram=256, disk=1)
    if not demo.compute.find_keypair("lab"):
        with open(os.path.join(state, "id_lab.pub")) as f:
            demo.compute.create_keypair(name="lab", public_key=f.read().strip())
    for version in "1", "2":
        name = f"lab-guest-v{version}"
        if admin.image.find_image(name):
            continue
        admin.image.create_image(
            name=name,
            disk_format="qcow2",
            container_format="bare",
            visibility="public",
            hw_rng_model="virtio",
            lab_version=version,
            filename=os.path.join(state, "guest", f"guest-v{version}.qcow2"),
        )


main(*sys.argv[1:])
