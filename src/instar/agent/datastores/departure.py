"""What `pre_upgrade` noted on the volume: the last `upgrade_info`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from instar.agent import durable

INFO = "upgrade_info.json"


def note(state: Path, info: Mapping[str, Any]) -> None:
    """Note it in place of the one before."""
    durable.write(state / INFO, json.dumps(info))


def noted(state: Path) -> dict[str, Any]:
    """Give what the last run noted; empty when there is none."""
    try:
        info: dict[str, Any] = json.loads((state / INFO).read_text())
    except FileNotFoundError:
        return {}
    return info
