"""The engine's suite stands on a shop: a record store with toy instances."""

from conftest_engine import shop

__all__ = ["shop"]
