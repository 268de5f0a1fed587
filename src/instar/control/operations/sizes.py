"""Sizes that a request names: flavors that are on offer, and volumes that may be larger."""

from instar.control.operations.desk import Desk
from instar.control.providers.base import FlavorSpec
from instar.wire.errors import BadRequest


def flavor(desk: Desk, flavor_id: str | None, field: str) -> FlavorSpec:
    """Find a flavor that is on offer. Raises BadRequest naming the field and the flavors there are."""
    on_offer = {each.id: each for each in desk.flavors()}
    if flavor_id not in on_offer:
        raise BadRequest(
            f"{field}: there is no flavor {flavor_id!r}",
            remedy=f"Flavors on offer: {', '.join(sorted(on_offer))}",
        )
    return on_offer[flavor_id]
