"""Whatever goes wrong becomes an error of the one tree that says what to do."""

import pytest

from control_plane_stub import PROJECT, Answer, Stub, refusal
from instar.client import Client, errors


def test_an_error_keeps_what_the_control_plane_said(stub: Stub, client: Client) -> None:
    finding = {"check": "extensions", "severity": "block", "seen": "postgis is missing", "remedy": "drop it"}
    stub.on(
        "GET",
        "/flavors",
        refusal(422, "unprocessableEntity", "busy", "In the way", remedy="Wait", findings=[finding]),
    )
    with pytest.raises(errors.Busy) as caught:
        client.flavors.list()
    assert (caught.value.body.brief, caught.value.body.remedy) == ("In the way", "Wait")
    assert caught.value.body.findings[0].seen == "postgis is missing"
    assert caught.value.request_id == "req-1"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.BadRequest),
        (401, errors.Unauthorized),
        (403, errors.Forbidden),
        (404, errors.NotFound),
        (409, errors.BadRequest),
        (413, errors.OverLimit),
        (422, errors.Busy),
        (501, errors.NotSupported),
        (503, errors.Unavailable),
    ],
)
def test_an_envelope_without_data_is_known_by_its_status(
    stub: Stub, client: Client, status: int, kind: type[errors.InstarError]
) -> None:
    fault = {"someFault": {"code": status, "message": "No.", "details": "because"}}
    stub.on("GET", "/flavors", Answer(fault, status))
    with pytest.raises(errors.InstarError) as caught:
        client.flavors.list()
    assert type(caught.value) is kind
    assert (caught.value.body.brief, caught.value.details) == ("No.", "because")


@pytest.mark.parametrize("body", [b"<html>Bad gateway</html>", b"[]", b'"no"', b"{}", b"{"])
def test_an_answer_of_something_else_names_the_address_and_the_status(
    stub: Stub, client: Client, body: bytes
) -> None:
    stub.on("GET", "/flavors", Answer(body, 502))
    with pytest.raises(errors.InstarError, match=f"{stub.endpoint}.*502"):
        client.flavors.list()


@pytest.mark.parametrize("body", [b"<html>Welcome</html>", b"{}", b'{"flavors": 3}'])
def test_success_that_is_not_instars_is_an_error(stub: Stub, client: Client, body: bytes) -> None:
    stub.on("GET", "/flavors", Answer(body))
    with pytest.raises(errors.BadAnswer, match="did not answer as Instar does"):
        client.flavors.list()


def test_a_refused_connection_names_the_endpoint_and_the_remedy() -> None:
    nowhere = Client(endpoint="http://127.0.0.1:9", project=PROJECT, token="t")
    with pytest.raises(errors.ConnectionFailed, match=r"http://127\.0\.0\.1:9\b.*instar serve") as caught:
        nowhere.flavors.list()
    assert caught.value.body.retryable


def test_a_refused_token_says_where_it_came_from(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    stub.on("GET", "/flavors", refusal(401, "unauthorized", "unauthorized", "Who are you"))
    for word, value in (("ENDPOINT", stub.endpoint), ("PROJECT", PROJECT), ("TOKEN", "wrong")):
        monkeypatch.setenv(f"INSTAR_{word}", value)
    with pytest.raises(errors.Unauthorized, match="INSTAR_TOKEN") as caught:
        Client.local().flavors.list()
    assert "wrong" not in str(caught.value)
