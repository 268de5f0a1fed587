"""How the client of one machine finds endpoint, project and token by itself."""

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

from instar.client.errors import NotConfigured

FILE = "client.json"
"""Below the state directory; written by the control plane at its first start, mode 0600."""


@dataclass(frozen=True)
class Access:
    """Where the control plane is and who asks; `source` says whence the token came."""

    endpoint: str | None = None
    project: str | None = None
    token: str | None = None
    source: str = "the arguments"

    def __repr__(self) -> str:
        return f"Access({self.endpoint}, project {self.project}, token from {self.source})"

    def is_complete(self) -> bool:
        """Tell whether nothing is missing."""
        return bool(self.endpoint and self.project and self.token)

    def project_endpoint(self) -> str:
        """Give the URL below which the project's things are."""
        return f"{(self.endpoint or '').rstrip('/')}/v1.0/{self.project}"

    def filled_from(self, other: "Access") -> "Access":
        """Take from `other` what is missing here; its token only if it is for the same endpoint."""
        if self.endpoint and other.endpoint and self.endpoint.rstrip("/") != other.endpoint.rstrip("/"):
            return self
        return replace(
            self,
            endpoint=self.endpoint or other.endpoint,
            project=self.project or other.project,
            token=self.token or other.token,
            source=self.source if self.token else other.source,
        )


def state_dir() -> Path:
    """Give the state directory: INSTAR_STATE_DIR, else root's or the user's own."""
    if given := os.environ.get("INSTAR_STATE_DIR"):
        return Path(given)
    return Path("/var/lib/instar") if os.geteuid() == 0 else Path.home() / ".local/share/instar"


def find(given: Access | None = None, directory: Path | str | None = None) -> Access:
    """Complete what was given from the environment, then from `client.json`. Raises NotConfigured."""
    access = (given or Access()).filled_from(_environment())
    if access.is_complete():
        return access
    path = Path(directory or state_dir()) / FILE
    access = access.filled_from(_read(path))
    if access.is_complete():
        return access
    missing = [word for word in ("endpoint", "project", "token") if not getattr(access, word)]
    raise NotConfigured(
        f"Not known: {', '.join(missing)} of the control plane",
        seen=f"not given, not in {', '.join(f'INSTAR_{word.upper()}' for word in missing)},"
        f" and {path} {_why_not(path, access)}",
        remedy="Start `instar serve` on this machine, set INSTAR_STATE_DIR to its state directory,"
        " or give --endpoint, --project and INSTAR_TOKEN.",
    )


def _environment() -> Access:
    return Access(
        endpoint=os.environ.get("INSTAR_ENDPOINT"),
        project=os.environ.get("INSTAR_PROJECT"),
        token=os.environ.get("INSTAR_TOKEN"),
        source="INSTAR_TOKEN",
    )


def _read(path: Path) -> Access:
    try:
        content = json.loads(path.read_text())
        return Access(content["endpoint"], content["project"], content["token"], source=str(path))
    except (OSError, ValueError, KeyError, TypeError):
        return Access(source=str(path))


def _why_not(path: Path, access: Access) -> str:
    if not path.parent.is_dir() or not os.access(path.parent, os.X_OK):
        return "is not there, or not for this user"
    if not path.exists():
        return "is not there"
    if not os.access(path, os.R_OK):
        return "may not be read by this user"
    return f"is of another endpoint than {access.endpoint}" if access.endpoint else "is not readable as JSON"
