"""Quotas: what projects may have, and what they have."""

from collections.abc import Sequence

from instar.client import _answers
from instar.client._http import Http, segment
from instar.wire.rest import Quota, QuotasAnswer, UpdateQuotasRequest


class Quotas:
    """Others' quotas, and every change, are for administrators."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def get(self, project: str) -> Sequence[Quota]:
        """Tell what a project has and may have of each resource; a limit of -1 is none."""
        return self._http.get(f"/mgmt/quotas/{segment(project)}", QuotasAnswer).quotas

    def set(self, project: str, **limits: int) -> None:
        """Set limits of a project, by resource; -1 is none.

            >>> client.quotas.set("demo", instances=10, volumes=100)

        Raises NotFound for a resource that there is not.
        """
        body = _answers.build(UpdateQuotasRequest, quotas=limits)
        self._http.request("PUT", f"/mgmt/quotas/{segment(project)}", json=body)
