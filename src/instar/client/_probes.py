"""Probes: the owner's own questions to a database, put before and after every upgrade."""

import builtins

from instar.client import _answers
from instar.client._http import Http, segment
from instar.client._instances import Instances
from instar.client._names import Named
from instar.wire.agent import Probe, ProbeResult
from instar.wire.rest import CreateProbeRequest, ProbeAnswer, ProbeResultsAnswer, ProbesAnswer


class Probes:
    """Register, list, delete and run the probes of an instance."""

    def __init__(self, http: Http, instances: Instances) -> None:
        self._http = http
        self._instances = instances

    def list(self, instance: str | Named) -> builtins.list[Probe]:
        """List an instance's probes."""
        return self._http.get(self._path(instance), ProbesAnswer).probes

    def get(self, instance: str | Named, name: str) -> Probe:
        """Read a probe. Raises NotFound."""
        return self._http.get(f"{self._path(instance)}/{segment(name)}", ProbeAnswer).probe

    def create(
        self,
        instance: str | Named,
        name: str,
        *,
        database: str,
        sql: str,
        expected: str,
        policy: str = "block",
    ) -> Probe:
        """Register a probe: one statement that reads, and the first column of its first row as text.

            >>> client.probes.create("demo", "orders", database="shop",
            ...                      sql="SELECT count(*) > 0 FROM orders", expected="t")

        A failing one with policy `block` forbids an upgrade beforehand, and fails it before clients are let
        in; with `warn` it is told. Raises BadRequest, OverLimit, Busy.
        """
        wanted = {"name": name, "database": database, "sql": sql, "expected": expected, "policy": policy}
        body = _answers.build(CreateProbeRequest, probe=wanted)
        return _answers.parse(ProbeAnswer, self._http.request("POST", self._path(instance), json=body)).probe

    def delete(self, instance: str | Named, name: str) -> None:
        """Forget a probe. Raises NotFound, Busy."""
        self._http.request("DELETE", f"{self._path(instance)}/{segment(name)}")

    def run(self, instance: str | Named) -> builtins.list[ProbeResult]:
        """Put every probe to the database now, and give what came of each. Raises Busy."""
        path = f"{self._instances.path(instance)}/probe-results"
        return _answers.parse(ProbeResultsAnswer, self._http.request("POST", path)).results

    def _path(self, instance: str | Named) -> str:
        return f"{self._instances.path(instance)}/probes"
