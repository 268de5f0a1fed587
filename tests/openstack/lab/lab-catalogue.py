#!/usr/bin/python3
"""Keystone's first contents: users, roles, services, endpoints (idempotent).

usage: lab-catalogue.py CLOUDS_YAML HOST SERVICE_USER...
"""

import sys

import openstack
from openstack import config

SERVICES = [  # type, name, URL
    ("image", "glance", "http://{host}:9292"),
    ("placement", "placement", "http://{host}:8778"),
    ("network", "neutron", "http://{host}:9696"),
    ("compute", "nova", "http://{host}:8774/v2.1"),
    ("volumev3", "cinder", "http://{host}:8776/v3/%(project_id)s"),
]


def main(clouds_yaml, host, *service_users):
    loader = config.OpenStackConfig(config_files=[clouds_yaml])
    region = loader.get_one(cloud="lab-admin")
    identity = openstack.connection.Connection(config=region).identity
    password = region.config["auth"]["password"]

    def role(name):
        return identity.find_role(name) or identity.create_role(name=name)

    def project(name):
        return identity.find_project(name) or identity.create_project(name=name, domain_id="default")

    def user(name):
        return identity.find_user(name) or identity.create_user(
            name=name, domain_id="default", password=password
        )

    services = project("service")
    for name in service_users:
        for needed in "admin", "service":
            identity.assign_project_role_to_user(services, user(name), role(needed))
    for needed in "member", "reader":
        identity.assign_project_role_to_user(project("demo"), user("demo"), role(needed))

    for type_, name, url in SERVICES:
        service = identity.find_service(name) or identity.create_service(type=type_, name=name)
        have = {e.interface for e in identity.endpoints(service_id=service.id)}
        for interface in {"public", "internal", "admin"} - have:
            identity.create_endpoint(
                service_id=service.id, region_id="RegionOne", interface=interface, url=url.format(host=host)
            )


main(*sys.argv[1:])
