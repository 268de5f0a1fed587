"""Enrolment: the files that a server is given so that its agent knows who it is and whom to let in."""

import configparser
import io

from instar.control.guests.authority import Authority
from instar.wire import agent


def files(
    authority: Authority, instance_id: str, facts: dict[str, str], agent_settings: dict[str, str]
) -> dict[str, str]:
    """Make `guest_info.conf`, `guestagent.conf` and a new TLS key pair; paths are below the server's root."""
    pair = authority.issue_server(instance_id)
    return {
        agent.GUEST_INFO: _ini("guest", {"instance_id": instance_id, **facts}),
        agent.GUEST_AGENT: _ini("agent", agent_settings),
        agent.TLS_CERTIFICATE: pair.certificate,
        agent.TLS_KEY: pair.key,
        agent.TLS_AUTHORITY: authority.certificate,
    }


def _ini(section: str, values: dict[str, str]) -> str:
    parser = configparser.ConfigParser(interpolation=None)
    parser[section] = values
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()
