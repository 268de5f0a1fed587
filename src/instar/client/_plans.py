"""Plans of upgrades."""

from collections.abc import Iterator
from typing import Any

from instar.client import _answers
from instar.client._http import OPERATION, Http, segment
from instar.client._instances import Instances
from instar.client._names import Named
from instar.client._operations import Operations
from instar.wire.plans import Plan
from instar.wire.rest import CreatePlanRequest, PlanAnswer, PlansAnswer, PlanSummary


class Plans:
    """What an upgrade would find and do: every check, with the database up, changing nothing."""

    def __init__(self, http: Http, instances: Instances, operations: Operations) -> None:
        self._http = http
        self._instances = instances
        self._operations = operations

    def make(
        self,
        instance: str | Named,
        datastore_version: str | Named,
        *,
        method: str | None = None,
        snapshot: str | None = None,
        on_failure: str | None = None,
        text_ordering: str | None = None,
        strategy: str | None = None,
        timeout: float = 120.0,
    ) -> Plan:
        """Plan an upgrade: `allowed` says whether nothing blocks it, `hash` is what `upgrade` takes.

            >>> plan = client.plans.make("demo", "18.6")
            >>> [finding.seen for finding in plan.blocking()]
            []

        The options are those of `instances.upgrade`. Raises NotFound for an unknown version, BadRequest with
        the versions that can be reached for a forbidden one, DeadlinePassed after `timeout` seconds.
        """
        version = datastore_version if isinstance(datastore_version, str) else datastore_version.id
        given = {"method": method, "snapshot": snapshot, "on_failure": on_failure}
        given |= {"text_ordering": text_ordering, "strategy": strategy}
        wanted: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
        body = _answers.build(CreatePlanRequest, plan={"datastore_version": version, **wanted})
        path = self._path(instance)
        response = self._http.request("POST", path, json=body)
        if response.status_code != 202:
            return _answers.parse(PlanAnswer, response).plan
        operation_id = response.headers[OPERATION]
        self._operations.wait(operation_id, timeout)
        return self._http.get(f"{path}/{segment(operation_id)}", PlanAnswer).plan

    def list(self, instance: str | Named) -> Iterator[PlanSummary]:
        """List the plans that are kept for an instance, newest first."""
        pages = self._http.pages(self._path(instance), PlansAnswer)
        return (plan for page in pages for plan in page.plans)

    def get(self, instance: str | Named, plan: str) -> Plan:
        """Read a plan by its id or its hash. Raises NotFound."""
        return self._http.get(f"{self._path(instance)}/{segment(plan)}", PlanAnswer).plan

    def _path(self, instance: str | Named) -> str:
        return f"{self._instances.path(instance)}/plans"
