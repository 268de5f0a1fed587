"""What tests of every kind may ask for, and what none of them leaves behind."""

import os
from collections.abc import Iterator

import hypothesis
import pytest

# How long an example takes says how busy the machine is.
hypothesis.settings.register_profile(
    "untimed",
    hypothesis.settings.default,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("untimed")

pytest_plugins = ["guest_images", "record_stores"]


@pytest.fixture(autouse=True)
def _own_umask() -> Iterator[None]:
    """Programs whose `main` is called in a test may set the umask; the next test has its own again."""
    before = os.umask(0o022)
    yield
    os.umask(before)
