"""Scenarios happen in a world of their own."""

from world import conf, world

__all__ = ["conf", "world"]
