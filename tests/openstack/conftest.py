"""A provider in the lab, whose tests leave nothing."""

from collections.abc import Iterator

import pytest

import lab_cloud
from instar.control.providers.openstack.provider import OpenStackProvider
from lab_cloud import Lab


@pytest.fixture
def lab() -> Iterator[Lab]:
    if lack := lab_cloud.why_not():
        pytest.skip(lack)
    yield lab_cloud.the_lab()
    lab_cloud.the_lab().clear()


@pytest.fixture
def provider(lab: Lab) -> OpenStackProvider:
    return OpenStackProvider(lab_cloud.settings(lab))
