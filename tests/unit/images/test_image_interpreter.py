import os
import subprocess
from pathlib import Path

import pytest

from instar.images.errors import BuildError
from instar.images.interpreter import choose


def test_the_interpreter_runs_for_everyone_who_may_run_guests() -> None:
    chosen = choose()
    assert tuple(map(int, chosen.version.split("."))) >= (3, 11)
    other = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    done = subprocess.run([chosen.path, "-IS", "-c", "import ssl"], check=False, cwd="/", **other)
    assert done.returncode == 0


def test_a_machine_without_a_fit_python_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "python3"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr("sys._base_executable", str(broken))
    monkeypatch.setattr("instar.images.interpreter.SYSTEM", str(broken))
    with pytest.raises(BuildError) as caught:
        choose()
    assert "apt-get install python3" in caught.value.body.remedy
