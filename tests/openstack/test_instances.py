"""What only a cloud does for an instance: another size, a volume that grows in use, a door of its own."""

from instar.control.providers.base import ServerSpec
from instar.control.providers.openstack.provider import OpenStackProvider
from instar.wire.agent import Manifest
from instar.wire.states import ServerState
from lab_cloud import PATIENCE, Lab, settings
from waiting import until

MANIFEST = Manifest(
    recipe="old", datastore="toy", manager="toy", engine_version="1", version_name="old", agent_version="1"
)


def test_a_server_gets_another_size_and_its_volume_grows_under_it(
    lab: Lab, provider: OpenStackProvider
) -> None:
    small, large = provider.flavors()
    volume = provider.ensure_volume("sized", 1).handle
    port = provider.ensure_port("sized", "shop-1")
    image = lab.guest_image(1, MANIFEST)
    server = provider.ensure_server(ServerSpec("sized", image, small, port, volume, {})).handle
    until(lambda: provider.inspect_server(server).state == ServerState.ACTIVE, PATIENCE)
    assert lab.status(server["id"])["hostname"] == "shop-1"

    assert provider.extend_volume(volume, 2).size == 2
    until(lambda: provider.resize_server(server, large).state == ServerState.ACTIVE, PATIENCE)
    assert lab.mine.compute.get_server(server["id"]).flavor.original_name == large.name
    told = lab.status(server["id"])
    assert told["address"] == port.address
    assert len([boot for boot in told["boots"] if boot]) == 2
    sectors = lab.run(server["id"], "cat /sys/class/block/vdb/size")
    assert int(sectors) * 512 == 2 << 30


def test_each_instance_has_a_door_of_its_own_that_goes_with_it(lab: Lab) -> None:
    network = lab.mine.network
    provider = OpenStackProvider(
        settings(lab, client_sources=("10.1.0.0/16",), agent_sources=("10.2.0.0/16",))
    )
    port = provider.ensure_port("guarded", "h")
    provider.ensure_port("other", "h")
    (group,) = network.security_groups(name="guarded", project_id=lab.project)
    rules = [rule for rule in group.security_group_rules if rule["direction"] == "ingress"]
    assert {(rule["port_range_min"], rule["port_range_max"], rule["remote_ip_prefix"]) for rule in rules} == {
        (3306, 3306, "10.1.0.0/16"),
        (5432, 5432, "10.1.0.0/16"),
        (9779, 9779, "10.2.0.0/16"),
    }
    assert group.id in network.get_port(port.handle["id"]).security_group_ids
    provider.destroy_port(port.handle)
    assert not list(network.security_groups(name="guarded", project_id=lab.project))
    assert list(network.security_groups(name="other", project_id=lab.project))


def test_tags_stand_for_the_newest_image_that_can_be_used(lab: Lab, provider: OpenStackProvider) -> None:
    older, newer = (lab.guest_image(number, MANIFEST) for number in (1, 2))
    older, newer = sorted((older, newer), key=lambda ref: str(lab.mine.image.get_image(ref).created_at))
    for ref, tags in ((older, ("toy", "stable")), (newer, ("toy", "stable", "more"))):
        for tag in tags:
            lab.mine.image.add_tag(ref, tag)
    assert provider.newest_image(["toy", "stable"]) == newer
    assert provider.newest_image(["toy", "beta"]) is None
    lab.admin.image.deactivate_image(newer)
    assert provider.newest_image(["toy", "stable"]) == older
    lab.admin.image.reactivate_image(newer)
