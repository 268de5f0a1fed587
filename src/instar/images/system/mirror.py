"""Where Debian's packages come from: the mirror that this machine's own apt uses, or one that is named."""

import re
import subprocess
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

from instar.images.errors import BuildError

APT = Path("/etc/apt")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
HELPER = "/usr/lib/apt/apt-helper"
_PATIENCE = (
    "-o",
    "Acquire::Retries=2",
    "-o",
    "Acquire::http::Timeout=30",
    "-o",
    "Acquire::https::Timeout=30",
)
_ONE_LINE = re.compile(r"^deb\s+(?:\[[^]]*\]\s+)?(?P<uri>\S+)\s+\S+\s+(?P<components>[^#\n]+)", re.MULTILINE)


@dataclass(frozen=True)
class Suite:
    """One suite of an archive, such as trixie-security, as of a date.

    Release files run out, so that nobody can pass off an old state as today's; `expired` is that of a mirror
    which has not been brought up to date for long, or of an archive of old states.
    """

    uri: str
    name: str
    date: str
    expired: bool = False

    @property
    def line(self) -> str:
        """Write it as apt's sources.list has it; what is expired is taken, with its signature checked."""
        options = [f"signed-by={KEYRING}"] if KEYRING.is_file() else []
        options += ["check-valid-until=no"] if self.expired else []
        return " ".join(
            ["deb", *([f"[{' '.join(options)}]"] if options else []), self.uri, self.name, "main"]
        )


def suites(release: str, mirror: str | None = None) -> list[Suite]:
    """Find a Debian release with its updates and security suites, as far as they are offered.

    What an archive offers it is asked itself: entries of other makers in apt's sources are passed over.
    Raises BuildError when nobody offers the release.
    """
    named = (mirror or "").rstrip("/")
    uris = [named, f"{named}-security"] if named else known(APT)
    found: dict[str, Suite] = {}
    for name in (release, f"{release}-updates", f"{release}-security"):
        for uri in uris:
            if name not in found and (offered := _ask(uri, name)):
                found[name] = offered
    if release not in found:
        raise BuildError(
            f"No mirror offers Debian {release}",
            seen=f"asked: {', '.join(uris) or 'none, as the sources of apt name no archive'}",
            remedy="Check the network and apt's sources in /etc/apt, or name a mirror with --mirror.",
            retryable=True,
        )
    return list(found.values())


def known(apt: Path) -> list[str]:
    """List the archives that apt's sources name for the component main, in their order."""
    found: list[str] = []
    for path in [apt / "sources.list", *sorted(apt.glob("sources.list.d/*"))]:
        if path.suffix == ".list" and path.is_file():
            found += (
                each["uri"] for each in _ONE_LINE.finditer(_text(path)) if _has_main(each["components"])
            )
        elif path.suffix == ".sources":
            for stanza in re.split(r"\n\s*\n", _text(path)):
                found += _uris(stanza)
    return list(dict.fromkeys(uri.rstrip("/") for uri in found))


def _uris(stanza: str) -> list[str]:
    """Read one stanza of the deb822 format; a line that begins with a space goes on with the field before."""
    lines = "\n".join(line for line in stanza.splitlines() if not line.startswith("#"))
    pairs = (line.partition(":") for line in re.sub(r"\n[ \t]+", " ", lines).splitlines())
    fields = {name.strip().lower(): value.strip() for name, _, value in pairs}
    usable = "deb" in fields.get("types", "").split() and fields.get("enabled", "yes").lower() != "no"
    return fields.get("uris", "").split() if usable and _has_main(fields.get("components", "")) else []


def _has_main(components: str) -> bool:
    return "main" in components.split()


def _text(path: Path) -> str:
    return path.read_text("utf-8", "replace")


def _ask(uri: str, suite: str) -> Suite | None:
    """Ask an archive for a suite, over whatever way apt would reach it; None when it has none of Debian's."""
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "InRelease"
        subprocess.run(
            [HELPER, *_PATIENCE, "download-file", f"{uri}/dists/{suite}/InRelease", str(told)],
            capture_output=True,
            check=False,
        )
        if not told.is_file():
            return None
        lines = (line.partition(": ") for line in _text(told).splitlines())
        fields = {name: value for name, _, value in lines if name in ("Origin", "Date", "Valid-Until")}
    if fields.get("Origin") != "Debian":
        return None
    until = fields.get("Valid-Until")
    expired = until is not None and parsedate_to_datetime(until) < datetime.now(UTC)
    return Suite(uri, suite, fields.get("Date", ""), expired)
