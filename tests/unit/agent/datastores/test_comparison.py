import pytest

from instar.agent.datastores import comparison
from instar.wire.agent import ReadBack
from instar.wire.errors import GuestError, Severity

BEFORE = ReadBack(
    engine_version="17.10",
    data_directory="/17",
    settings={"work_mem": "7MB", "jit": "off"},
    databases=["app"],
    users=["ann"],
    extensions={"app/pg_trgm": "1.5"},
    catalog={"app/tables": 3, "app/views": 1},
)


def test_another_version_with_more_in_it_is_no_loss() -> None:
    after = BEFORE.model_copy(
        update={
            "engine_version": "18.6",
            "data_directory": "/18",
            "extensions": {"app/pg_trgm": "1.6", "app/more": "1"},
            "catalog": {"app/tables": 4, "app/views": 1, "app/functions": 1},
            "settings": {**BEFORE.settings, "more": "1"},
        }
    )
    assert comparison.findings(BEFORE, after) == []
    comparison.refuse([])


def test_every_loss_is_told() -> None:
    found = comparison.findings(BEFORE, ReadBack(engine_version="18.6", data_directory="/18"))
    assert [finding.seen for finding in found] == [
        "database app is missing",
        "user ann is missing",
        "extension app/pg_trgm is missing",
        "app/tables: 3 before, 0 now",
        "app/views: 1 before, 0 now",
        "work_mem was '7MB' and is not set any more",
        "jit was 'off' and is not set any more",
    ]
    with pytest.raises(GuestError, match="Clients were not let in: database app is missing") as refused:
        comparison.refuse(found)
    assert refused.value.body.findings == found


def test_settings_that_were_to_change_are_none_and_after_a_resume_all_are_told_only() -> None:
    after = BEFORE.model_copy(update={"settings": {"work_mem": "8MB"}})
    (found,) = comparison.findings(BEFORE, after, changed={"work_mem"})
    assert found.seen == "jit was 'off' and is not set any more"
    resumed = comparison.findings(BEFORE, after, resumed=True)
    assert [finding.severity for finding in resumed] == [Severity.WARN, Severity.WARN]
    comparison.refuse(resumed)


def test_values_that_may_hold_secrets_are_not_told() -> None:
    before = BEFORE.model_copy(update={"settings": {"archive_command": "put --key secret"}})
    after = BEFORE.model_copy(update={"settings": {"archive_command": "put --key other-secret"}})
    (found,) = comparison.findings(before, after)
    assert found.seen == "archive_command was set and is set otherwise now"


def test_where_no_resume_helps_none_is_spoken_of() -> None:
    after = BEFORE.model_copy(update={"settings": {"work_mem": "8MB"}})
    for resumable in (True, False):
        found = comparison.findings(BEFORE, after, resumable=resumable)
        assert [("resume" in each.remedy, each.severity) for each in found] == [
            (resumable, Severity.BLOCK)
        ] * 2
