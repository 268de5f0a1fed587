"""Python environments for other people's programs: made once, kept beside the images of tests."""

import fcntl
import hashlib
import subprocess
import sys
from pathlib import Path

from guest_images import image_dir


def programs(name: str, *requirements: str) -> Path:
    """Give the folder of programs of an environment that holds what is required, at the versions it names."""
    digest = hashlib.sha256(" ".join([sys.version, *requirements]).encode()).hexdigest()[:12]
    home = image_dir() / "environments" / f"{name}-{digest}"
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another test process may be at it
        if not (home / "complete").exists():
            _make(home, requirements)
            (home / "complete").touch()
    return home / "bin"


def _make(home: Path, requirements: tuple[str, ...]) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", home], check=True)
    install = ["install", "--quiet", "--disable-pip-version-check", *requirements]
    words = [sys.executable, "-m", "pip", "--python", home / "bin/python", *install]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{home.name} can't be made:\n{done.stderr}"
