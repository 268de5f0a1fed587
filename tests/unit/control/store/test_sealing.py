"""Passwords on their way through the record store."""

from pathlib import Path

import pytest

from instar.control.store.sealing import Sealer
from instar.wire.errors import InstarError


def test_what_is_sealed_opens_again_and_tells_nothing(tmp_path: Path) -> None:
    sealer = Sealer.from_file(tmp_path / "seal.key")
    sealed = sealer.seal({"password": "correct horse"})
    assert sealed
    assert "horse" not in sealed
    assert Sealer.from_file(tmp_path / "seal.key").open(sealed) == {"password": "correct horse"}
    assert (tmp_path / "seal.key").stat().st_mode & 0o777 == 0o600


def test_nothing_to_seal(tmp_path: Path) -> None:
    sealer = Sealer.from_file(tmp_path / "seal.key")
    assert sealer.seal({}) is None
    assert sealer.open(None) == {}


def test_another_hosts_key_says_what_to_do(tmp_path: Path) -> None:
    sealed = Sealer.from_file(tmp_path / "one.key").seal({"password": "x"})
    with pytest.raises(InstarError, match="seal_key_file"):
        Sealer.from_file(tmp_path / "two.key").open(sealed)
