"""What system calls a guest may make: what the engine admits by default, without new namespaces and mounts.

Docker's own profile refuses these to whoever has no capabilities; Podman's admits them, which hands the
kernel's whole surface for administrators to every guest.
"""

import json
from pathlib import Path
from typing import Any

from instar.control.providers.directories import records

DEFAULTS = (Path("/etc/containers/seccomp.json"), Path("/usr/share/containers/seccomp.json"))
"""Where Podman looks for its own profile."""
_REFUSED = {"unshare", "setns", "mount", "umount", "umount2", "pivot_root", "clone", "clone3"}
_EPERM, _ENOSYS = 1, 38
_NEW_NAMESPACES = 0x7E020000
"""The flags of clone(2) that ask for a namespace."""
_RULES: list[dict[str, Any]] = [
    {"names": sorted(_REFUSED - {"clone", "clone3"}), "action": "SCMP_ACT_ERRNO", "errnoRet": _EPERM},
    {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": _ENOSYS},  # C libraries use clone then
    {
        "names": ["clone"],
        "action": "SCMP_ACT_ALLOW",
        "args": [{"index": 0, "value": _NEW_NAMESPACES, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}],
    },
]


def profile_for_podman(directory: Path) -> Path | None:
    """Write the profile below `directory` and give its path; None where Podman has none to begin with."""
    default = next((path for path in DEFAULTS if path.exists()), None)
    if default is None:
        return None
    profile = json.loads(default.read_text(encoding="utf-8"))
    kept = [
        {**rule, "names": names}
        for rule in profile["syscalls"]
        if (names := [name for name in rule["names"] if name not in _REFUSED])
    ]
    path = directory / "seccomp.json"
    with records.locked(directory / "seccomp.lock"):
        records.write(path, {**profile, "syscalls": [*kept, *_RULES]}, durable=False)
    return path
