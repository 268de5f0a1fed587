"""PID 1 of a guest: s6's supervisor under the guest's own user, with the agent as its one service.

It starts the agent again when it dies (at most once a second), while a database that the agent left goes on;
takes in orphans; and on SIGTERM ends the agent, which stops its database, then everything else, then itself.
"""

from pathlib import Path

from instar.images import guest_agent

PROGRAM = "usr/lib/instar/init"
_SERVICES = "usr/lib/instar/services"

_INIT = f"""\
#!/bin/sh
# PID 1 of this guest. What s6 writes to lies in /run, which belongs to nobody before.
set -eu
umask 022
cd /
cp -R /{_SERVICES} /run/services
exec s6-svscan -t 0 /run/services
"""
_AGENT = f"""\
#!/bin/sh
exec 2>&1
exec /{guest_agent.LAUNCHER} --root /
"""
# SIGTERM has ended the agent by now. Whoever is left gets five seconds, a database that the agent could not
# stop among them; when PID 1 ends, the kernel ends the rest.
_FINISH = """\
#!/bin/sh
kill -TERM -1 2>/dev/null
left=100
while [ "$left" -gt 0 ] && kill -0 -1 2>/dev/null; do
    sleep 0.05
    left=$((left - 1))
done
exit 0
"""


def install(root: Path) -> None:
    """Put the guest's init and its services into a system."""
    for path, text in (
        (PROGRAM, _INIT),
        (f"{_SERVICES}/agent/run", _AGENT),
        (f"{_SERVICES}/.s6-svscan/finish", _FINISH),
    ):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
        (root / path).chmod(0o755)
