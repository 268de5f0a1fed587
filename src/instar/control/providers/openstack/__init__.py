"""The openstack provider: a Nova server with a Cinder volume and a Neutron port, from a Glance image.

The cloud is the only record: what is wanted of a server stands in its Nova metadata, that of a revert in the
volume's metadata. Things are found again by their names, which derive from our ids.

    cloud.py         the one connection; failures.py makes ProviderErrors of what the cloud answers
    images.py        Glance and the manifests; flavors.py
    ports.py         Neutron; security_groups.py, the door before each port
    volumes.py       Cinder; snapshots.py, reverting.py
    servers.py       Nova; changes.py, their rebuilds, stops and so on; wishes.py, what is wanted of a server;
                     states.py; user_data.py
"""
