"""The table of routes, the policies and the served description agree."""

import pytest

from instar.control.api.policies import list_rules
from instar.control.api.routes import ROUTES
from instar.control.api.routing import Access


@pytest.fixture(scope="module")
def document(door):
    return door.as_("acme-token").simulate_get("/openapi.json").json


def test_every_route_is_described_with_its_status(document):
    for route in ROUTES:
        described = document["paths"][route.template][route.method.lower()]
        assert str(route.status) in described["responses"]
        assert described["summary"].endswith(".")


def test_operation_ids_are_unique(document):
    ids = [verb["operationId"] for path in document["paths"].values() for verb in path.values()]
    assert len(set(ids)) == len(ids)


def test_every_reference_leads_somewhere(document):
    def references(node):
        if isinstance(node, dict):
            yield from ([node["$ref"]] if "$ref" in node else [])
            for value in node.values():
                yield from references(value)
        elif isinstance(node, list):
            for value in node:
                yield from references(value)

    found = set(references(document))
    assert found
    for reference in found:
        here = document
        for part in reference.removeprefix("#/").split("/"):
            here = here[part]


def test_routes_ask_policies_that_exist():
    known = {rule.name for rule in list_rules()}
    asked = {route.policy for route in ROUTES if route.policy}
    assert asked <= known


def test_what_is_open_to_everybody_is_known():
    """A route is public on purpose, for operators, guarded by a policy, or asks one for each action."""
    public = {route.path for route in ROUTES if route.access is Access.PUBLIC}
    assert public == {"/", "/v1.0", "/healthcheck"}
    unguarded = {route.path for route in ROUTES if route.access is Access.PROJECT and not route.policy}
    assert unguarded == {"/instances/{instance_id}/action", "/operations/{operation_id}/action"}
