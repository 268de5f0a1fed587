"""What an agent loads while nobody waits is there to be loaded."""

import importlib

import pytest


@pytest.mark.parametrize("family", ["postgresql", "mysql_family"])
def test_every_part_that_is_loaded_ahead_is_there(family: str) -> None:
    package = f"instar.agent.datastores.{family}"
    parts = importlib.import_module(f"{package}.datastore")._PARTS
    assert all(importlib.import_module(f"{package}.{part}") for part in parts)
