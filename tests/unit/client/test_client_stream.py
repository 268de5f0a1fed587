"""Events come out of a stream as they went in."""

from hypothesis import given, settings
from hypothesis import strategies as st

from control_plane_stub import event
from instar.client._stream import is_last, parse


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(1, 2**53), st.text(max_size=20)), max_size=4))
def test_every_event_is_read_back(events: list[tuple[int, str]]) -> None:
    raw = b"".join(event(number, "step", "o", reason=text) + b": beat\n\n" for number, text in events)
    read = [one for one in parse(raw.split(b"\n")) if one is not None]
    assert [(one.id, one.payload["reason"]) for one in read] == events


@settings(max_examples=50)
@given(st.binary(max_size=100))
def test_noise_is_passed_over(noise: bytes) -> None:
    lines = [b"data: " + part for part in noise.split(b"\n")]
    raw = [*lines, b"", *event(7, "trove.create.end", "o").split(b"\n")]
    last = [one for one in parse(raw) if one is not None][-1]
    assert last.id == 7
    assert is_last(last)
