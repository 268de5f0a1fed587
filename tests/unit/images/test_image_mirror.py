import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from instar.images.errors import BuildError
from instar.images.system import mirror

pytestmark = pytest.mark.skipif(
    not Path(mirror.HELPER).exists(), reason="apt's helper is missing: only Debian and its kin have it"
)
Publish = Callable[..., str]


@pytest.fixture
def publish(tmp_path: Path) -> Publish:
    """Put a suite's release file into an archive on this machine's disk; gives the archive's address."""

    def made(archive: str, suite: str, *, origin: str = "Debian", until: str = "") -> str:
        folder = tmp_path / archive / "dists" / suite
        folder.mkdir(parents=True)
        fields = f"Origin: {origin}\nSuite: {suite}\nDate: Fri, 30 Oct 2026 08:08:01 UTC\n"
        (folder / "InRelease").write_text(fields + (f"Valid-Until: {until}\n" if until else ""))
        return f"file://{tmp_path}/{archive}"

    return made


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this machine's apt keeps its sources."""
    folder = tmp_path / "etc/apt"
    (folder / "sources.list.d").mkdir(parents=True)
    monkeypatch.setattr(mirror, "APT", folder)
    return folder


def test_sources_of_both_formats_are_read(apt: Path) -> None:
    (apt / "sources.list").write_text(
        "# deb http://a/commented bookworm main\n"
        "deb [arch=amd64 signed-by=/k] http://a/debian/ bookworm main contrib # here\n"
        "deb-src http://a/source bookworm main\n"
        "deb http://a/other bookworm stable\n"
    )
    (apt / "sources.list.d/debian.sources").write_text(
        "Types: deb deb-src\n# a comment\nURIs: http://b/debian\n http://c/debian\nSuites: trixie\n"
        "Components: main\n"
        "\nTypes: deb\nEnabled: no\nURIs: http://d/debian\nSuites: trixie\nComponents: main\n"
        "\nTypes: deb-src\nURIs: http://e/debian\nSuites: trixie\nComponents: main\n"
    )
    (apt / "sources.list.d/left.disabled").write_text("deb http://f/debian bookworm main\n")
    assert mirror.known(apt) == ["http://a/debian", "http://b/debian", "http://c/debian"]


def test_a_release_comes_with_the_updates_and_security_suites_that_are_offered(
    apt: Path, publish: Publish
) -> None:
    main, security = publish("debian", "trixie"), publish("debian-security", "trixie-security")
    maker = publish("maker", "trixie", origin="Somebody")
    (apt / "sources.list").write_text(
        f"deb {maker} bookworm main\ndeb {main} bookworm main\ndeb {security} bookworm-security main\n"
    )
    found = mirror.suites("trixie")
    assert [(suite.uri, suite.name) for suite in found] == [(main, "trixie"), (security, "trixie-security")]


def test_a_named_mirror_goes_before_this_machines_sources(apt: Path, publish: Publish) -> None:
    (apt / "sources.list").write_text(f"deb {publish('debian', 'trixie')} bookworm main\n")
    own = publish("own", "trixie")
    publish("own-security", "trixie-security")
    found = mirror.suites("trixie", own)
    assert [suite.uri for suite in found] == [own, f"{own}-security"]


def test_a_release_that_ran_out_is_taken_and_told(apt: Path, publish: Publish) -> None:
    (suite,) = mirror.suites("forky", publish("debian", "forky", until="Sat, 07 Nov 2020 08:08:01 UTC"))
    assert suite.expired
    assert "check-valid-until=no" in suite.line
    assert "30 Oct 2026" in suite.date


def test_a_release_that_nobody_offers_is_told_with_who_was_asked(apt: Path, publish: Publish) -> None:
    uri = publish("debian", "trixie")
    (apt / "sources.list").write_text(f"deb {uri} trixie main\n")
    with pytest.raises(BuildError, match="No mirror offers Debian woody") as caught:
        mirror.suites("woody")
    assert uri in caught.value.body.seen
    assert "--mirror" in caught.value.body.remedy


def test_a_line_of_ours_is_one_that_apt_reads(publish: Publish, tmp_path: Path) -> None:
    (suite,) = mirror.suites("trixie", publish("debian", "trixie"))
    (tmp_path / "sources.list").write_text(suite.line + "\n")
    done = subprocess.run(
        ["apt-get", "indextargets", "-o", f"Dir::Etc::sourcelist={tmp_path}/sources.list"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
