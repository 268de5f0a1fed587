"""Quotas of projects, and the limits that a project is told of."""

from instar.control.api.call import Call
from instar.control.operations import quotas
from instar.wire import rest
from instar.wire.errors import Forbidden


def limits(call: Call) -> rest.LimitsAnswer:
    """Show the project's absolute limits; -1 is none. There are no rate limits."""
    with call.desk.store.read() as session:
        most = {each.resource: each.limit for each in quotas.usage(session, call.desk, call.caller.project)}
    absolute = {f"max_{resource}": limit for resource, limit in most.items()}
    return rest.LimitsAnswer(limits=[rest.AbsoluteLimits(verb="ABSOLUTE", **absolute)])


def show(call: Call) -> rest.QuotasAnswer:
    """Show a project's quotas and what it uses of them; others' are for administrators."""
    project = call.path["owner"]
    if project != call.caller.project and not call.caller.is_admin:
        raise Forbidden(f"User does not have admin privileges to see the quotas of project {project}")
    with call.desk.store.read() as session:
        rows = quotas.usage(session, call.desk, project)
    return rest.QuotasAnswer(
        quotas=[
            rest.Quota(resource=row.resource, in_use=row.in_use, reserved=row.reserved, limit=row.limit)
            for row in rows
        ]
    )


def update(call: Call, body: rest.UpdateQuotasRequest) -> rest.UpdatedQuotasAnswer:
    """Set a project's quotas; -1 is no limit."""
    with call.desk.store.begin() as session:
        quotas.put(session, call.desk, call.path["owner"], body.quotas)
    return rest.UpdatedQuotasAnswer(quotas=body.quotas)
