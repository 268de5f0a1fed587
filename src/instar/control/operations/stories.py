"""Every story there is, by its operation's kind."""

from collections.abc import Mapping

from instar.control.engine.outcomes import Story
from instar.control.operations import (
    access,
    close_undo,
    configure,
    create,
    delete,
    inquiry,
    plan,
    reboot,
    resize,
    resize_volume,
    restart,
    rollback,
    stop,
    upgrade,
)
from instar.control.operations.context import Context

STORIES: Mapping[str, Story[Context]] = {
    module.STORY.kind: module.STORY
    for module in (
        create,
        configure,
        access,
        upgrade,
        rollback,
        restart,
        reboot,
        resize,
        resize_volume,
        stop,
        delete,
        inquiry,
        plan,
        close_undo,
    )
}
