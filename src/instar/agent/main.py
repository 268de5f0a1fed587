"""The program `instar-guest-agent`.

1. Reads what was injected below the root, and the image's manifest; stops being root, where it is told to.
2. Picks the datastore plug-in that the manifest names.
3. Binds the guest API; from then on this is the server's one agent. A standby waits for its volume first.
4. Brings the database back if it should run, and looks after it.
5. On SIGTERM stops the database cleanly and ends.
"""

import argparse
import importlib.metadata
import logging
import os
import shlex
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from instar.agent import facts as injected
from instar.agent import hooks, privilege, server, standby, tls
from instar.agent.datastores.base import Datastore
from instar.agent.jobs import Jobs
from instar.agent.keeper import Keeper
from instar.wire.agent import AgentInfo
from instar.wire.errors import GuestError, InstarError

_log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the agent until SIGTERM or SIGINT; exit status 1 with a line on stderr when it can't start."""
    parser = argparse.ArgumentParser(
        prog="instar-guest-agent", description="Serves the guest API of one server."
    )
    parser.add_argument(
        "--root", type=Path, default=Path("/"), help="the server's root directory (default: /)"
    )
    parser.add_argument(
        "--user",
        metavar="NAME",
        help="started as root, become this user and leave the volume to a root process",
    )
    options = parser.parse_args(argv)
    root = options.root.absolute()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    os.umask(0o077)
    try:
        _serve(root, options.user)
    except InstarError as error:
        print(f"instar-guest-agent: {error}", file=sys.stderr)
        return 1
    return 0


def _serve(root: Path, user: str | None) -> None:
    facts = injected.load(root)
    if user is not None:
        facts = replace(facts, holder=privilege.drop(facts.holder, user))
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    datastore = load_datastore(facts)
    jobs = Jobs(root / "var/lib/instar/jobs", lambda hook, params: hooks.bind(datastore, hook, params))
    api = server.Api(_info(facts, root), datastore, jobs)
    context = tls.server_context(root)

    def bind(address: str, api: server.Api) -> server.Server:
        return server.make_server(address, facts.listen_port, api, context)

    threading.Thread(target=datastore.load, name="load", daemon=True).start()
    if facts.takes_over:
        listening = standby.take_over(facts, api, bind, ended)
    else:
        listening = bind(facts.listen_address, api)
    if listening is not None:
        threading.Thread(target=listening.serve, name="server", daemon=True).start()
        _log.info("listening: address=%s port=%d instance=%s", *listening.bind_addr[:2], facts.instance_id)
        keeper = Keeper(datastore, jobs)
        keeper.start()
        ended.wait()
        jobs.close()
        keeper.stop()
        datastore.shut_down()
    logging.shutdown()
    os._exit(0)  # whoever waits for this server to end must not wait for idle connections' threads


def load_datastore(facts: injected.Facts) -> Datastore:
    """Make the datastore whose plug-in the manager names. Raises GuestError when there is none."""
    found = importlib.metadata.entry_points(group="instar.datastores")
    if facts.manager not in found.names:
        raise GuestError(
            f"This image's agent has no datastore plug-in {facts.manager!r}",
            seen=f"plug-ins: {', '.join(sorted(found.names)) or 'none'}",
            remedy="Use an image built for this datastore.",
        )
    plugin: type[Datastore] = found[facts.manager].load()
    return plugin(facts)  # type: ignore[call-arg]


def _info(facts: injected.Facts, root: Path) -> AgentInfo:
    return AgentInfo(
        agent_version=facts.manifest.agent_version,
        instance_id=facts.instance_id,
        boot_id=injected.boot_id(root),
        manager=facts.manager,
        image_digest=facts.manifest.digest,
        engine_version=facts.manifest.engine_version,
        os=_system(root),
    )


def _system(root: Path) -> str:
    """Tell the name of the operating system below the root; empty where there is none, as in a tree."""
    try:
        lines = (root / "etc/os-release").read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return ""
    named = (line.partition("=")[2] for line in lines if line.startswith("PRETTY_NAME="))
    return " ".join(shlex.split(next(named, "")))


if __name__ == "__main__":
    sys.exit(main())
