"""What the new image's software means: extensions that it has or lacks, and how it orders text."""

from collections.abc import Iterator

from instar.control.operations.planning.sight import Sight
from instar.wire.agent import Manifest, ReadBack
from instar.wire.errors import Finding, Severity
from instar.wire.plans import TextOrdering

REBUILD_RATE = 32 << 20
"""Bytes of index that a rebuild makes in a second: an assumption, on the careful side."""


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


def text_ordering(sight: Sight) -> TextOrdering:
    """Hold the libraries that order text against each other."""
    before, after = sight.image_before, sight.image_after
    indexes = sight.facts.indexes_at_risk
    return TextOrdering(
        glibc_before=before.glibc if before else "",
        glibc_after=after.glibc if after else "",
        icu_before=before.icu if before else "",
        icu_after=after.icu if after else "",
        indexes=indexes,
        rebuild_seconds=round(sum(index.bytes for index in indexes) / REBUILD_RATE, 1) if indexes else None,
    )


def ordering_findings(sight: Sight, ordering: TextOrdering) -> Iterator[Finding]:
    """Tell of each library that changes; the guest warns of indexes, but an older one does not look."""
    is_looked_at = sight.facts.data_bytes is not None
    for library, old, new in (
        ("glibc", ordering.glibc_before, ordering.glibc_after),
        ("ICU", ordering.icu_before, ordering.icu_after),
    ):
        if old and new and old != new:
            yield Finding(
                check="text_ordering",
                severity=Severity.NOTE if is_looked_at else Severity.WARN,
                seen=f"{library} changes from {old} to {new}",
                remedy=""
                if is_looked_at
                else "Rebuild indexes over text that are not of collation C (REINDEX).",
            )
