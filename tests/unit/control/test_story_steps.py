"""Steps are found by their names, so that a story has one of each."""

from collections import Counter

import pytest

from instar.control.operations.stories import STORIES


@pytest.mark.parametrize("kind", STORIES)
def test_every_step_of_a_story_has_a_name_of_its_own(kind: str) -> None:
    story = STORIES[kind]
    steps = [*story.steps, *(step for way in story.ways_back for step in way)]
    assert {name: count for name, count in Counter(step.name for step in steps).items() if count > 1} == {}
