"""Everything here is real."""

from container_fixtures import container, container_plane, containers, system_images
from real_fixtures import installation, instance, lasting_instance, plane

__all__ = [
    "container",
    "container_plane",
    "containers",
    "installation",
    "instance",
    "lasting_instance",
    "plane",
    "system_images",
]
