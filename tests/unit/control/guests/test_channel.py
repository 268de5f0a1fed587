"""The channel to an agent, against servers of every kind: right, strange, endless, away."""

import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from instar.control.guests import channel
from instar.control.guests.authority import Authority
from instar.wire.agent import TLS_AUTHORITY, TLS_CERTIFICATE, TLS_KEY
from instar.wire.errors import GuestError, GuestUnreachable

INSTANCE = "0b5c2b3e-6a57-4a3c-8a3b-0d5a3f0f9a11"
Answer = Callable[[BaseHTTPRequestHandler], None]


def _answer(body: bytes, status: int = 200) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.end_headers()
        request.wfile.write(body)

    return answer


@contextmanager
def _guest(
    authority: Authority, name: str, folder: Path, answer: Answer, caller: Authority | None = None
) -> Iterator[channel.Channel]:
    """A server with a certificate of `name`, and the channel to it, of the same authority or of `caller`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet."""

    class Server(socketserver.ThreadingMixIn, HTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A caller that hangs up is what some tests are about."""

    channels = channel.Channels(authority)
    files = channels.files(name, {"address": "127.0.0.1"}, {})
    for part in (TLS_CERTIFICATE, TLS_KEY, TLS_AUTHORITY):
        (folder / Path(part).name).write_text(files[part])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "agent.crt", folder / "agent.key")
    context.load_verify_locations(folder / "ca.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    with Server(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield channel.Channels(caller or authority, server.server_port).at(INSTANCE, "127.0.0.1")
        server.shutdown()
        thread.join()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "tls")


def test_the_guest_of_that_name_is_heard(authority: Authority, tmp_path: Path) -> None:
    with _guest(authority, INSTANCE, tmp_path, _answer(b'{"status": "HEALTHY"}')) as guest:
        assert guest.status().status == "HEALTHY"


def test_another_guests_certificate_is_refused_for_good(authority: Authority, tmp_path: Path) -> None:
    other = "ffffffff-6a57-4a3c-8a3b-0d5a3f0f9a11"
    with (
        _guest(authority, other, tmp_path, _answer(b"{}")) as guest,
        pytest.raises(GuestUnreachable, match="do not trust") as caught,
    ):
        guest.info()
    assert not caught.value.body.retryable


def test_a_certificate_of_another_authority_is_refused(authority: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other")
    with (
        _guest(other, INSTANCE, tmp_path, _answer(b'{"status": "HEALTHY"}'), caller=authority) as guest,
        pytest.raises(GuestUnreachable, match="do not trust"),
    ):
        guest.status()


def test_the_agents_own_error_arrives_whole(authority: Authority, tmp_path: Path) -> None:
    body = GuestError("initdb failed", seen="no space", remedy="Make room").body.model_dump_json().encode()
    with (
        _guest(authority, INSTANCE, tmp_path, _answer(body, 500)) as guest,
        pytest.raises(GuestError) as caught,
    ):
        guest.status()
    assert (caught.value.body.seen, caught.value.body.remedy) == ("no space", "Make room")


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"status": "SPLENDID"}', b"", b"\xff\xfe"])
@pytest.mark.parametrize("status", [200, 500])
def test_an_answer_that_is_none_says_so(
    authority: Authority, tmp_path: Path, body: bytes, status: int
) -> None:
    answering = _guest(authority, INSTANCE, tmp_path, _answer(body, status))
    with answering as guest, pytest.raises(GuestError, match="an answer that is none"):
        guest.status()


def test_an_endless_answer_is_cut_off(authority: Authority, tmp_path: Path) -> None:
    def pour(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while True:
            request.wfile.write(b" " * 65536)

    with _guest(authority, INSTANCE, tmp_path, pour) as guest, pytest.raises(GuestError, match="without end"):
        guest.status()


def _drip(request: BaseHTTPRequestHandler) -> None:
    """Send a byte now and then, for long: no single wait for a byte is."""
    for _ in range(500):
        request.wfile.write(b" ")
        request.wfile.flush()
        threading.Event().wait(0.01)


def _dripping_body(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.end_headers()
    _drip(request)


def _dripping_body_of_a_known_length(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "1000000")
    request.end_headers()
    _drip(request)


def _dripping_headers(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    _drip(request)


@pytest.mark.parametrize("answer", [_dripping_body, _dripping_body_of_a_known_length, _dripping_headers])
def test_a_guest_that_drips_does_not_hold_a_call(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Answer
) -> None:
    monkeypatch.setattr(channel, "ANSWER_TIMEOUT", 0.2)
    with (
        _guest(authority, INSTANCE, tmp_path, answer) as guest,
        pytest.raises(GuestUnreachable) as caught,
    ):
        guest.status()
    assert caught.value.body.retryable
    assert "timed out" in caught.value.body.seen


def test_a_guest_that_is_away_may_come_back(authority: Authority) -> None:
    guest = channel.Channels(authority, 1).at(INSTANCE, "127.0.0.1")
    with pytest.raises(GuestUnreachable, match="does not answer") as caught:
        guest.info()
    assert caught.value.body.retryable
    assert "refused" in caught.value.body.seen
