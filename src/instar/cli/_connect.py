"""Which control plane a command talks to."""

import argparse
import os

from instar.client import Client


def connect(options: argparse.Namespace) -> Client:
    """Make the client that the global options and the environment ask for; asks nothing of the network.

    --os-cloud, then our own options and INSTAR_*, then OS_*, then this machine's client.json.
    """
    if options.os_cloud:
        return Client.cloud(options.os_cloud)
    ours = options.endpoint or options.token or _any("INSTAR_ENDPOINT", "INSTAR_TOKEN", "INSTAR_STATE_DIR")
    if not ours and _any("OS_CLOUD", "OS_AUTH_URL"):
        return Client.cloud(os.environ.get("OS_CLOUD"))
    return Client(endpoint=options.endpoint, project=options.project, token=options.token)


def _any(*names: str) -> bool:
    return any(os.environ.get(name) for name in names)
