"""Handing over in the openstack provider: what is asked of Nova, in which order, and what is refused."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloud_stub import PROJECT, Asked, CloudStub, serving, settings_for
from instar.control.providers.base import FlavorSpec, Port, Progress, ServerSpec
from instar.control.providers.openstack import handles
from instar.control.providers.openstack.provider import OpenStackProvider
from instar.control.providers.openstack.wishes import RUNNING, STOPPED, Wishes
from instar.wire.agent import Manifest
from instar.wire.errors import ProviderError
from instar.wire.image_properties import to_properties

OLD, NEW, OTHER, VOLUME, PORT, WAITING, NETWORK, SUBNET, IMAGE = (
    f"5e0c7a3c-0000-4000-8000-00000000020{number}" for number in range(9)
)
SERVERS = "/compute/v2.1/servers"
GIVER, TAKER = (handles.make("server", each, "instar-1") for each in (OLD, NEW))
WHAT = handles.make("volume", VOLUME, "instar-1"), handles.make("port", PORT, "instar-1")
MANIFEST = Manifest(
    recipe="toy", datastore="toy", manager="toy", engine_version="1", version_name="1", agent_version="1"
)


class Cloud:
    """Two servers, a volume and a port, which go where they are asked to go; `asked` notes that."""

    def __init__(self, stub: CloudStub) -> None:
        self.volume: dict[str, Any] = {"id": VOLUME, "name": "instar-1", "size": 1}
        self.port: dict[str, Any] = {
            "id": PORT,
            "name": "instar-1",
            "mac_address": "fa:16:3e:00:00:01",
            "network_id": NETWORK,
            "fixed_ips": [{"subnet_id": SUBNET, "ip_address": "10.0.0.5"}],
        }
        self.servers = {OLD: self._server(OLD, "SHUTOFF", STOPPED), NEW: self._server(NEW, "ACTIVE", RUNNING)}
        self.asked: list[str] = []
        self.give(OLD)
        stub.on("GET", f"/volume/v3/volumes/{VOLUME}", lambda asked: (200, {"volume": self.volume}))
        stub.on("GET", f"/network/v2.0/ports/{PORT}", lambda asked: (200, {"port": self.port}))
        stub.on("GET", "/network/v2.0/ports", lambda asked: (200, {"ports": self._ours(asked)}))
        for server in self.servers:
            one = f"{SERVERS}/{server}"
            stub.on("GET", one, lambda asked: self._show(asked.path.split("/")[-1]))
            stub.on("DELETE", f"{one}/os-volume_attachments/{VOLUME}", lambda asked: self._take_volume())
            stub.on("POST", f"{one}/os-volume_attachments", self._give_volume)
            stub.on("DELETE", f"{one}/os-interface/{PORT}", lambda asked: self._take_port())
            stub.on(
                "DELETE", f"{one}/os-interface/{WAITING}", lambda asked: self._note("unplug", (202, None))
            )
            stub.on("POST", f"{one}/os-interface", self._give_port)

    def give(self, server: str) -> None:
        """Have a server have both."""
        self._give_volume(None, server)
        self._give_port(None, server)
        self.asked.clear()

    @staticmethod
    def _server(server: str, status: str, wanted: str) -> dict[str, Any]:
        metadata = Wishes(name="instar-1", image=IMAGE, wanted=wanted).metadata()
        return {"id": server, "name": "shop", "status": status, "metadata": metadata}

    def _show(self, server: str) -> tuple[int, Any]:
        record = self.servers.get(server)
        return (200, {"server": record}) if record else (404, {"itemNotFound": {"message": "gone"}})

    def _ours(self, asked: Asked) -> list[dict[str, Any]]:
        assert asked.query["tags"] == ["instar"], "cards of operators are none of ours"
        waiting = [{"id": WAITING}] if asked.query["device_id"] == [NEW] else []
        return [{"id": PORT}, *waiting]

    def _gone(self, server: str) -> tuple[int, Any]:
        self.servers.pop(server, None)
        return self._note(f"delete {server}", (204, None))

    def _note(self, what: str, answer: tuple[int, Any]) -> tuple[int, Any]:
        self.asked.append(what)
        return answer

    def _take_volume(self) -> tuple[int, Any]:
        self.volume |= {"status": "available", "attachments": []}
        return self._note("take volume", (202, None))

    def _give_volume(self, asked: Asked | None, server: str = "") -> tuple[int, Any]:
        taker = asked.path.split("/")[-2] if asked else server
        self.volume |= {"status": "in-use", "attachments": [{"server_id": taker}]}
        return self._note("give volume", (200, {"volumeAttachment": {"id": VOLUME, "volumeId": VOLUME}}))

    def _take_port(self) -> tuple[int, Any]:
        self.port |= {"device_id": "", "status": "DOWN"}
        return self._note("take port", (202, None))

    def _give_port(self, asked: Asked | None, server: str = "") -> tuple[int, Any]:
        taker = asked.path.split("/")[-2] if asked else server
        self.port |= {"device_id": taker, "status": "ACTIVE"}
        return self._note("give port", (200, {"interfaceAttachment": {"port_id": PORT}}))


@pytest.fixture
def stub() -> Iterator[CloudStub]:
    with serving() as stub:
        yield stub


@pytest.fixture
def cloud(stub: CloudStub) -> Cloud:
    return Cloud(stub)


@pytest.fixture
def provider(stub: CloudStub, cloud: Cloud, tmp_path: Path) -> OpenStackProvider:
    return OpenStackProvider(settings_for(stub, tmp_path, patience=2.0))


def test_volume_and_port_go_over_and_the_card_of_the_standby_goes(
    provider: OpenStackProvider, cloud: Cloud
) -> None:
    assert provider.hand_over(GIVER, TAKER, *WHAT).done
    assert cloud.asked == ["take volume", "take port", "give volume", "give port", "unplug"]
    assert (cloud.volume["attachments"], cloud.port["device_id"]) == ([{"server_id": NEW}], NEW)


def test_one_that_was_interrupted_goes_on_where_it_was(provider: OpenStackProvider, cloud: Cloud) -> None:
    cloud._take_volume()
    cloud._give_port(None, NEW)
    cloud.asked.clear()
    assert provider.hand_over(GIVER, TAKER, *WHAT).done
    assert cloud.asked == ["give volume", "unplug"]


def test_what_a_server_had_that_is_gone_is_given(provider: OpenStackProvider, cloud: Cloud) -> None:
    cloud._take_volume()
    cloud._take_port()
    del cloud.servers[OLD]
    assert provider.hand_over(GIVER, TAKER, *WHAT).done


@pytest.mark.parametrize("part", ["volume", "port"])
def test_what_another_server_has_is_not_taken_from_it(
    provider: OpenStackProvider, cloud: Cloud, part: str
) -> None:
    cloud._give_volume(None, OTHER) if part == "volume" else cloud._give_port(None, OTHER)
    with pytest.raises(ProviderError, match=OTHER):
        provider.hand_over(GIVER, TAKER, *WHAT)


def test_a_port_that_is_not_wired_and_what_nova_refuses_are_told(
    stub: CloudStub, cloud: Cloud, tmp_path: Path
) -> None:
    words = {"badRequest": {"message": "no room for another card"}}
    stub.on("POST", f"{SERVERS}/{NEW}/os-interface", (400, words))
    impatient = OpenStackProvider(settings_for(stub, tmp_path, patience=1.0))
    seen = impatient.hand_over(GIVER, TAKER, *WHAT)
    assert (seen.done, "no room for another card" in seen.reason) == (False, True)
    assert seen.reason.startswith("no server has the port")
    cloud.port |= {"device_id": NEW, "status": "DOWN"}
    assert impatient.hand_over(GIVER, TAKER, *WHAT) == Progress(
        False, 0, "Neutron says that the port is DOWN"
    )


def test_a_volume_that_does_not_move_is_told_though_the_port_is_there(
    cloud: Cloud, stub: CloudStub, tmp_path: Path
) -> None:
    cloud.volume["status"] = "detaching"
    impatient = OpenStackProvider(settings_for(stub, tmp_path, patience=1.0))
    assert impatient.hand_over(GIVER, TAKER, *WHAT).reason == "Cinder says that the volume is detaching"
    assert cloud.port["device_id"] == NEW


def test_a_volume_in_error_is_told_with_what_to_do(provider: OpenStackProvider, cloud: Cloud) -> None:
    cloud.volume["status"] = "error"
    with pytest.raises(ProviderError, match="reset the volume's state"):
        provider.hand_over(GIVER, TAKER, *WHAT)


def test_of_standbys_that_were_made_at_once_the_older_counts_and_the_other_goes(
    stub: CloudStub, provider: OpenStackProvider, cloud: Cloud
) -> None:
    about = {"id": IMAGE, "status": "active", "visibility": "private", "owner": PROJECT}
    stub.on("GET", f"/image/v2/images/{IMAGE}", (200, {**about, **to_properties(MANIFEST, [])}))
    for number, server in enumerate((OLD, NEW)):
        cloud.servers[server] |= {"created": f"2026-01-0{number + 1}T00:00:00Z", "image": {"id": IMAGE}}
        cloud.servers[server] |= {"flavor": {"original_name": "db"}}
        stub.on("DELETE", f"{SERVERS}/{server}", lambda asked: cloud._gone(asked.path.split("/")[-1]))
    both = {"servers": list(cloud.servers.values())}
    stub.on("GET", f"{SERVERS}/detail", (200, {"servers": []}), (200, both))
    stub.on("POST", SERVERS, (202, {"server": cloud.servers[NEW]}))
    stub.on("GET", "/compute/v2.1/flavors/detail", (200, {"flavors": []}))
    port = Port(handles.make("port", WAITING, "instar-1-b"), "10.0.0.6", "shop.example")
    made = provider.ensure_server(ServerSpec("b", IMAGE, FlavorSpec("1", "db", 1, 1), port, None, {})).handle
    assert (made["id"], cloud.asked) == (OLD, [f"delete {NEW}"])
    provider.destroy_server({**made, "name": "b"})
    assert cloud.asked[-2:] == [f"delete {NEW}", f"delete {OLD}"], "one that was left by a crash goes, too"


def test_a_standby_has_no_volume_and_is_told_of_the_network_that_it_takes_over(
    stub: CloudStub, provider: OpenStackProvider, cloud: Cloud
) -> None:
    about = {"id": IMAGE, "status": "active", "visibility": "private", "owner": PROJECT}
    stub.on("GET", f"/image/v2/images/{IMAGE}", (200, {**about, **to_properties(MANIFEST, [])}))
    stub.on("GET", f"/network/v2.0/networks/{NETWORK}", (200, {"network": {"id": NETWORK, "mtu": 1450}}))
    subnet = {
        "id": SUBNET,
        "ip_version": 4,
        "cidr": "10.0.0.0/24",
        "gateway_ip": "10.0.0.1",
        "host_routes": [{"destination": "10.9.0.0/16", "nexthop": "10.0.0.2"}],
        "dns_nameservers": ["10.0.0.3"],
    }
    stub.on("GET", f"/network/v2.0/subnets/{SUBNET}", (200, {"subnet": subnet}))
    stub.on("GET", f"{SERVERS}/detail", (200, {"servers": []}), (200, {"servers": [cloud.servers[NEW]]}))
    stub.on("POST", SERVERS, (202, {"server": cloud.servers[NEW]}))
    stub.on("GET", "/compute/v2.1/flavors/detail", (200, {"flavors": []}))
    cloud.servers[NEW] |= {"image": {"id": IMAGE}, "flavor": {"original_name": "db"}}
    port = Port(handles.make("port", WAITING, "instar-1-b"), "10.0.0.6", "shop.example")
    spec = ServerSpec("b", IMAGE, FlavorSpec("1", "db", 1, 1), port, None, {}, takes_over=WHAT[1])
    assert provider.ensure_server(spec).handle["id"] == NEW
    (sent,) = (each.body["server"] for each in stub.all("POST", SERVERS))
    assert [disk["uuid"] for disk in sent["block_device_mapping_v2"]] == [IMAGE]
    written = json.loads(base64.b64decode(sent["user_data"]).decode().partition("\n")[2])["write_files"]
    told = json.loads(next(f["content"] for f in written if f["path"] == "/etc/instar/network_data.json"))
    assert told["links"] == [
        {"id": PORT, "type": "phy", "ethernet_mac_address": "fa:16:3e:00:00:01", "mtu": 1450}
    ]
    assert told["networks"] == [
        {
            "link": PORT,
            "type": "ipv4",
            "ip_address": "10.0.0.5",
            "netmask": "255.255.255.0",
            "routes": [
                {"network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "10.0.0.1"},
                {"network": "10.9.0.0", "netmask": "255.255.0.0", "gateway": "10.0.0.2"},
            ],
            "services": [{"type": "dns", "address": "10.0.0.3"}],
        }
    ]
