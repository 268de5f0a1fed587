"""Everything here is real, but for the suite that strikes at every point in one process."""

import pytest

from container_fixtures import mariadb_images
from real_fixtures import installation, instance, lasting_instance, plane

__all__ = ["installation", "instance", "lasting_instance", "mariadb_images", "plane"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what `make test-crash` is for, unless it is asked for by its mark or its name."""
    if "crash_all" in (config.option.markexpr or "") or any("::" in arg for arg in config.args):
        return
    left_out = [item for item in items if item.get_closest_marker("crash_all")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]
