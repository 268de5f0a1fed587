"""Tablespaces: directories beside the data directory, which an upgrade neither moves nor may remove."""

from collections.abc import Iterator
from pathlib import Path
from typing import LiteralString

from instar.agent.datastores.postgresql.layout import Layout
from instar.agent.datastores.postgresql.sessions import Session
from instar.wire.errors import Finding

_LOCATIONS: LiteralString = """
    SELECT spcname, pg_tablespace_location(oid) FROM pg_tablespace
    WHERE pg_tablespace_location(oid) <> '' ORDER BY spcname
"""
REMEDY = "Move what it holds (ALTER TABLE ... SET TABLESPACE pg_default), then drop it."


def locations(connection: Session, data: Path) -> dict[str, Path]:
    """Give where every tablespace of users' lies, as a real path."""
    return {name: (data / place).resolve() for name, place in connection.execute(_LOCATIONS)}


def misplaced(layout: Layout, found: dict[str, Path], *, major: bool) -> Iterator[Finding]:
    """Find the tablespaces that an upgrade, of the major version or not, would lose."""
    for name, place in found.items():
        if where := _wrong_place(layout, place, major):
            yield Finding(check="tablespaces", seen=f"Tablespace {name} lies {where}: {place}", remedy=REMEDY)


def _wrong_place(layout: Layout, place: Path, major: bool) -> str:
    if not place.is_relative_to(layout.volume.resolve()):
        return "outside the data volume, where the new image replaces everything"
    if place.is_relative_to(layout.state.resolve()):
        return "in the agent's own directory, which an upgrade clears"
    if major and place.is_relative_to(layout.clusters.resolve()):
        return "among the data directories, of which the old one is removed"
    return ""


def lying_in(found: dict[str, Path], directory: Path) -> list[str]:
    """Name the tablespaces that lie in a directory or below."""
    return [name for name, place in found.items() if place.is_relative_to(directory.resolve())]


def parts(data: Path, major: int) -> list[Path]:
    """Find what one major version keeps in the tablespaces of a data directory, besides that directory."""
    return [part for link in (data / "pg_tblspc").glob("*") for part in link.resolve().glob(f"PG_{major}_*")]
