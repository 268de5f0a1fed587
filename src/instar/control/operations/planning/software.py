"""What the new image's software means: extensions that it has or lacks, and how it orders text."""

from collections.abc import Iterator, Sequence
from statistics import median

from instar.control.operations.planning.sight import Sight
from instar.wire.agent import Manifest, ReadBack, TextOrderingPolicy
from instar.wire.errors import Finding, Severity
from instar.wire.plans import TextOrdering

REBUILD_RATE = 16 << 20
"""Bytes of index that a rebuild makes in a second, where there is no history: an assumption, on the careful
side, since glibc sorts slowly.
"""


def extensions(sight: Sight) -> Iterator[Finding]:
    """Find extensions that are installed and missing in the new image, or come in another version there."""
    if sight.read_back is None or sight.image_after is None:
        return
    if not sight.image_after.extensions:
        if sight.read_back.extensions:
            seen = f"image {sight.image_after.recipe} does not tell which extensions it has"
            yield Finding(check="extension", severity=Severity.NOTE, seen=seen)
        return
    yield from _extensions(sight.read_back, sight.image_after)


def _extensions(before: ReadBack, image: Manifest) -> Iterator[Finding]:
    for place, version in sorted(before.extensions.items()):
        name = place.rpartition("/")[2]
        offered = image.extensions.get(name)
        if offered is None:
            yield Finding(
                check="extension",
                seen=f"{place} is installed and image {image.recipe} does not have it",
                remedy="Drop the extension, or use an image that has it.",
            )
        elif offered != version:
            seen = f"{place} is of version {version}, the image has {offered}"
            yield Finding(check="extension", severity=Severity.NOTE, seen=seen)


def text_ordering(sight: Sight, policy: TextOrderingPolicy, rates: Sequence[float]) -> TextOrdering:
    """Hold the libraries that order text against each other; `rates` are earlier rebuilds' bytes a second."""
    before, after = sight.image_before, sight.image_after
    indexes = sight.facts.indexes_at_risk
    is_rebuilt = bool(indexes) and policy == "rebuild"
    rate = median(rates) if rates else REBUILD_RATE
    return TextOrdering(
        glibc_before=before.glibc if before else "",
        glibc_after=after.glibc if after else "",
        icu_before=before.icu if before else "",
        icu_after=after.icu if after else "",
        policy=policy,
        indexes=indexes,
        rebuild_seconds=round(sum(index.bytes for index in indexes) / rate, 1) if is_rebuilt else None,
        rebuilds=len(rates) if is_rebuilt else 0,
    )


def ordering_findings(sight: Sight, ordering: TextOrdering) -> Iterator[Finding]:
    """Tell of each library that changes; the guest tells of indexes, but an older one does not look, and does
    not know of policies.
    """
    is_looked_at = sight.facts.data_bytes is not None
    changed = False
    for library, old, new in (
        ("glibc", ordering.glibc_before, ordering.glibc_after),
        ("ICU", ordering.icu_before, ordering.icu_after),
    ):
        if old and new and old != new:
            changed = True
            yield Finding(
                check="text_ordering",
                severity=Severity.NOTE if is_looked_at else Severity.WARN,
                seen=f"{library} changes from {old} to {new}",
                remedy=""
                if is_looked_at
                else "Rebuild indexes over text that are not of collation C (REINDEX).",
            )
    if ordering.policy == "block" and (ordering.indexes if is_looked_at else changed):
        yield from _blocked(sight)


def _blocked(sight: Sight) -> Iterator[Finding]:
    if not any(each.check == "text_ordering" and each.severity is Severity.BLOCK for each in sight.findings):
        seen = "indexes over text may be ordered by a library that changes"
        yield Finding(check="text_ordering", seen=seen, remedy="Upgrade with text_ordering rebuild.")
