"""Whatever is sent, the door answers as it says it does: no 5xx but 501, answers of the described shapes."""

import os
from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance

from door import Door, make_door
from instar.control.api.routes import ROUTES
from memory_datastore import MemoryGuests, worker_of

EXAMPLES = int(os.environ.get("INSTAR_FUZZ_EXAMPLES", "3"))
"""Inputs for each route: few in every run, hundreds when somebody asks for them."""
OFTEN = {"project": "acme", "datastore": "postgresql", "version": "17.10", "flavor_id": "1"}
"""Path variables that make most requests get past the first 404."""


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    made = make_door(tmp_path_factory.mktemp("fuzz"))
    worker = worker_of(made, MemoryGuests())
    worker.start()
    yield made
    worker.stop()
    made.store.close()


@pytest.fixture(scope="module")
def described(door: Door):
    return schemathesis.openapi.from_wsgi("/openapi.json", door.app)


@pytest.fixture
def known(door: Door) -> dict[str, str]:
    """Path variables that name things: an instance at rest, an operation, a version nobody uses."""
    instance_id = door.serving_instance()
    acme = door.as_("acme-token")
    (made,) = acme.simulate_get(f"/v1.0/acme/instances/{door.create()}/operations").json["operations"]
    ids = {"instance_id": instance_id, "operation_id": made["id"]}
    group = {"name": "web", "values": {}, "datastore": {"type": "postgresql", "version": "17.10"}}
    answer = acme.simulate_post("/v1.0/acme/configurations", json={"configuration": group})
    ids |= {"configuration_id": answer.json["configuration"]["id"], "parameter": "work_mem"}
    return OFTEN | ids | {"version_id": door.versions["16.4"]}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.template}")
def test_no_input_breaks_a_route(door, described, known, route):
    strategy = described[route.template][route.method].as_strategy()

    @given(case=strategy)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def send(case: Case) -> None:
        for name in case.path_parameters or {}:
            case.path_parameters[name] = known.get(name, case.path_parameters[name])
        answer = case.call(headers={"X-Auth-Token": "admin-token"})
        if answer.status_code != 501:
            case.validate_response(answer, checks=[not_a_server_error, response_schema_conformance])

    send()
