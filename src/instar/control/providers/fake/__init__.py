"""A provider in memory, for tests and trials: it keeps the whole contract, and fails on demand."""

from instar.control.providers.fake.provider import FakeProvider

__all__ = ["FakeProvider"]
