"""Every story there is, by its operation's kind."""

from collections.abc import Mapping

from instar.control.engine.outcomes import Story
from instar.control.operations import create, delete, inquiry, restart, upgrade
from instar.control.operations.context import Context

STORIES: Mapping[str, Story[Context]] = {
    module.STORY.kind: module.STORY for module in (create, upgrade, restart, delete, inquiry)
}
