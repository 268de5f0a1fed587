"""What was injected into this server and what its image says: read at start; the size may change later."""

import configparser
import io
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from instar.agent import durable, volume
from instar.agent.volume import PATIENCE, Volume, check_access
from instar.wire import agent as wire
from instar.wire.errors import GuestError

_BOOT = "run/instar"
"""Directory of what lasts as long as a boot."""


@dataclass(frozen=True)
class Facts:
    """This server, as an agent and its datastore see it; fulfils `datastores.base.Guest`."""

    root: str
    volume: str
    instance_id: str
    address: str
    port: int
    manager: str
    listen_address: str
    listen_port: int
    takes_over: str
    holder: Volume
    manifest: wire.Manifest
    facts: dict[str, str] = field(default_factory=dict)

    def take_volume(self, *, new: bool = False, patience: float = PATIENCE) -> None:
        """See to it that the volume is there and can be written to. Raises GuestError. Repeatable."""
        self.holder.take(new=new, patience=patience)
        check_access(Path(self.volume))

    def check_volume(self) -> None:
        """Look whether the volume is in place. Raises GuestError."""
        self.holder.check()
        check_access(Path(self.volume))

    def release_volume(self) -> None:
        """Let go of the volume. Repeatable."""
        self.holder.release()

    @property
    def volume_is_released(self) -> bool:
        """Tell whether the volume was let go of."""
        return self.holder.is_released

    def grow_volume(self) -> None:
        """Have the volume's file system, if it has one of its own, take up the room that the volume has got:
        that is part of taking it. Raises GuestError. Repeatable.
        """
        self.take_volume()

    def resize(self, ram: int) -> None:
        """Note that the server has `ram` MiB, here and in the file that was injected. Repeatable."""
        self.facts["ram"] = str(ram)
        parser, written = configparser.ConfigParser(interpolation=None), io.StringIO()
        parser["guest"] = self.facts
        parser.write(written)
        durable.write(Path(self.root) / wire.GUEST_INFO, written.getvalue())


def load(root: Path) -> Facts:
    """Read the injected files and the image's manifest. Raises GuestError naming file and key."""
    guest = _Section(root / wire.GUEST_INFO, "guest")
    agent = _Section(root / wire.GUEST_AGENT, "agent")
    manifest = _manifest(root / wire.IMAGE_MANIFEST)
    address = guest.text("address")
    data = root / "var/lib/instar/data"
    kind, volume_id = agent.text("volume_kind", "directory"), agent.values.get("volume_id", "").strip()
    return Facts(
        root=str(root),
        volume=str(data),
        instance_id=guest.text("instance_id"),
        address=address,
        port=guest.port("database_port", 5432),
        manager=guest.text("datastore_manager", manifest.manager),
        listen_address=agent.text("listen_address", address),
        listen_port=agent.port("port", wire.PORT),
        takes_over=agent.values.get("takes_over", "").strip(),
        holder=volume.make(kind, data, volume_id, root / _BOOT),
        manifest=manifest,
        facts=guest.values,
    )


def boot_id(root: Path) -> str:
    """Give the id of this boot of the server: a new one whenever `run` was emptied."""
    path = root / _BOOT / "boot_id"
    if path.is_file() and (found := path.read_text().strip()):
        return found
    path.parent.mkdir(parents=True, exist_ok=True)
    made = str(uuid.uuid4())
    durable.write(path, made)
    return made


class _Section:
    """One section of an injected file."""

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name = path, name
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read_string(path.read_text("utf-8"))
            self.values: dict[str, str] = dict(parser[name])
        except (OSError, UnicodeDecodeError, configparser.Error, KeyError) as error:
            raise self._wrong(f"it has no readable section [{name}]", _first_line(error)) from error

    def text(self, key: str, default: str | None = None) -> str:
        value = self.values.get(key, "").strip() or default
        if value is None:
            raise self._wrong(f"[{self.name}] {key} is missing")
        return value

    def port(self, key: str, default: int) -> int:
        text = self.text(key, str(default))
        if not text.isdecimal() or not 0 < int(text) < 65536:
            raise self._wrong(f"[{self.name}] {key} must be a port number from 1 to 65535", text)
        return int(text)

    def _wrong(self, what: str, seen: str = "") -> GuestError:
        return GuestError(
            f"{self.path} can't be used: {what}",
            seen=seen,
            remedy="Have the control plane inject the file again.",
        )


def _manifest(path: Path) -> wire.Manifest:
    try:
        return wire.Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        seen = error.strerror or str(error)
    except ValidationError as error:
        seen = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
    raise GuestError(f"The image manifest {path} can't be used", seen=seen, remedy="Build the image again.")


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]
