"""What a real cloud refuses, as an operator of Instar is told of it."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from instar.control.providers.base import FlavorSpec, ServerSpec
from instar.control.providers.openstack.provider import OpenStackProvider
from instar.wire.agent import Manifest
from instar.wire.errors import NotFound, ProviderError
from instar.wire.states import ServerState
from lab_cloud import PATIENCE, Lab, settings
from waiting import until

MANIFEST = Manifest(
    recipe="old", datastore="toy", manager="toy", engine_version="1", version_name="old", agent_version="1"
)


def spec(lab: Lab, provider: OpenStackProvider, flavor: FlavorSpec | None = None) -> ServerSpec:
    return ServerSpec(
        name="refused",
        image=lab.guest_image(1, MANIFEST),
        flavor=flavor or provider.flavors()[0],
        port=provider.ensure_port("refused", "refused"),
        volume=provider.ensure_volume("refused", 1).handle,
        files={},
    )


@contextmanager
def quota(lab: Lab, instances: int) -> Iterator[None]:
    lab.admin.compute.update_quota_set(lab.project, instances=instances)
    try:
        yield
    finally:
        lab.admin.compute.update_quota_set(lab.project, instances=10)


def test_a_used_up_quota_is_told_and_nothing_is_left_in_the_way(
    lab: Lab, provider: OpenStackProvider
) -> None:
    wanted = spec(lab, provider)
    with quota(lab, instances=0), pytest.raises(ProviderError, match="no room left to make a server") as told:
        provider.ensure_server(wanted)
    assert "instances" in told.value.body.seen
    assert not told.value.body.retryable
    assert provider.find_server("refused") is None
    volume = provider.inspect_volume(wanted.volume)
    assert volume is not None
    assert volume.attached_to is None


def test_a_server_that_no_host_takes_is_in_error_with_novas_reason(
    lab: Lab, provider: OpenStackProvider
) -> None:
    compute = lab.admin.compute
    huge = compute.find_flavor("lab.huge") or compute.create_flavor(
        name="lab.huge", vcpus=64, ram=2**22, disk=1
    )
    lab.admin.compute.update_quota_set(lab.project, cores=100, ram=2**23)
    info = provider.ensure_server(spec(lab, provider, FlavorSpec(huge.id, huge.name, huge.ram, 64, 1)))
    until(lambda: provider.inspect_server(info.handle).state != ServerState.BUILDING, PATIENCE)
    seen = provider.inspect_server(info.handle)
    assert seen.state == ServerState.ERROR
    assert "No valid host" in seen.reason
    provider.destroy_server(info.handle)
    assert provider.inspect_server(info.handle).state == ServerState.MISSING


def test_an_image_that_was_withdrawn_or_deleted_boots_nothing(lab: Lab, provider: OpenStackProvider) -> None:
    wanted = spec(lab, provider)
    lab.admin.image.deactivate_image(wanted.image)
    with pytest.raises(ProviderError, match="withdrawn"):
        provider.ensure_server(wanted)
    assert wanted.image not in [image.ref for image in provider.images()]
    lab.mine.image.delete_image(wanted.image)
    with pytest.raises(NotFound):
        provider.ensure_server(wanted)
    assert provider.find_server("refused") is None


def test_a_network_that_is_not_there_is_named(lab: Lab) -> None:
    provider = OpenStackProvider(settings(lab, network="nowhere"))
    with pytest.raises(ProviderError, match="no network 'nowhere'") as told:
        provider.ensure_port("refused", "refused")
    assert "option network" in told.value.body.remedy


def test_a_volume_that_is_in_use_is_not_deleted_nor_reverted(lab: Lab, provider: OpenStackProvider) -> None:
    wanted = spec(lab, provider)
    info = provider.ensure_server(wanted)
    until(lambda: provider.inspect_server(info.handle).state == ServerState.ACTIVE, PATIENCE)
    until(lambda: provider.snapshot_volume(wanted.volume, "s").ready, 60)
    snapshot = provider.snapshot_volume(wanted.volume, "s").handle
    with pytest.raises(ProviderError, match="attached"):
        provider.destroy_volume(wanted.volume)
    with pytest.raises(ProviderError, match="not stopped"):
        provider.revert_volume(wanted.volume, snapshot)
    with pytest.raises(ProviderError, match="uses its volume"):
        provider.detach_volume(info.handle, wanted.volume)
