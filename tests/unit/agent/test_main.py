from pathlib import Path

import pytest

from instar.agent import main
from instar.wire import agent as wire


@pytest.mark.parametrize(
    ("path", "text", "told"),
    [
        (wire.GUEST_INFO, "", "guest_info.conf"),
        (wire.TLS_KEY, "nonsense", "agent.key"),
        (
            wire.GUEST_INFO,
            "[guest]\ninstance_id = i\naddress = 127.0.0.1\ndatastore_manager = abacus\n",
            "abacus",
        ),
        (wire.GUEST_AGENT, "[agent]\nlisten_address = 192.0.2.1\n", "192.0.2.1"),
    ],
)
def test_agent_that_cannot_start_says_why(
    root: Path, capsys: pytest.CaptureFixture[str], path: str, text: str, told: str
) -> None:
    (root / path).write_text(text)
    assert main.main(["--root", str(root)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("instar-guest-agent: ")
    assert told in said
    assert "Traceback" not in said
