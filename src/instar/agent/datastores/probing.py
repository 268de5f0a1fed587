"""Probes: queries with expected answers, by which an owner tells whether the database is of use."""

import time
from collections.abc import Callable, Iterable

from instar.wire.agent import Probe, ProbeResult
from instar.wire.errors import Finding, GuestError, InstarError, Severity

LONGEST = 5.0
"""Seconds that one probe may take."""
TOLD = 200
"""Letters of an answer that are told."""

Put = Callable[[Probe, float], str]
"""Puts a probe, for at most so many seconds; gives the answer as text. Raises InstarError."""


def run(
    probes: Iterable[Probe],
    put: Put,
    budget: float | None = None,
    tick: Callable[[int], None] = lambda _: None,
) -> list[ProbeResult]:
    """Put each probe; with a budget, those that it leaves no seconds for have failed.

    `tick` is called before each with how many have been put.
    """
    deadline = None if budget is None else time.monotonic() + budget
    results: list[ProbeResult] = []
    for probe in probes:
        tick(len(results))
        results.append(_run(probe, put, deadline))
    return results


def _run(probe: Probe, put: Put, deadline: float | None) -> ProbeResult:
    began = time.monotonic()
    seconds = LONGEST if deadline is None else min(LONGEST, deadline - began)
    passed = False
    try:
        if seconds <= 0:
            raise GuestError("there was no time left for it")
        seen = put(probe, seconds)
        passed = seen == probe.expected
    except InstarError as error:
        seen = error.body.brief
    return ProbeResult(
        name=probe.name,
        passed=passed,
        seen=seen[:TOLD],
        policy=probe.policy,
        seconds=round(time.monotonic() - began, 3),
    )


def findings(results: Iterable[ProbeResult], probes: Iterable[Probe]) -> list[Finding]:
    """Tell of the probes that did not pass, as each one's policy wants it."""
    expected = {probe.name: probe.expected for probe in probes}
    return [
        Finding(
            check="probe",
            severity=Severity(result.policy),
            seen=f"probe {result.name}: expected {expected[result.name][:TOLD]!r}, seen {result.seen!r}",
            remedy="Mend what the probe looks at, or change the probe.",
        )
        for result in results
        if not result.passed
    ]
