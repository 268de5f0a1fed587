"""Everything here is real."""

from real_fixtures import installation, instance, lasting_instance, plane

__all__ = ["installation", "instance", "lasting_instance", "plane"]
