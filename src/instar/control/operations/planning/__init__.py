"""Plans: everything that an upgrade needs to know beforehand, found with the database up, changing nothing.

wanted          what is asked for
sight           what is seen: records, images, machine, guest
machine         what provider, volume, flavor and database have against it
configuration   the instance's values against the target's catalogue
software        extensions and the ordering of text
strategies      how the new image takes the old one's place, and what each way would cost
snapshots       whether one is taken, and what that costs
reversibility   what leads back from each step, the point of no return, what can be undone
history         what earlier upgrades took
making          all of it put together
keeping         plans that were made, held against what is now
"""

from instar.control.operations.planning.history import forecast, remember, sort_of
from instar.control.operations.planning.keeping import changed_since, choose, keep
from instar.control.operations.planning.making import make, overridden, refusal
from instar.control.operations.planning.sight import Sight, look
from instar.control.operations.planning.wanted import Wanted

__all__ = [
    "Sight",
    "Wanted",
    "changed_since",
    "choose",
    "forecast",
    "keep",
    "look",
    "make",
    "overridden",
    "refusal",
    "remember",
    "sort_of",
]
