"""Typed ids over UUID text, as the REST contract wants them."""

import re
import uuid
from typing import NewType

InstanceId = NewType("InstanceId", str)
OperationId = NewType("OperationId", str)
VersionId = NewType("VersionId", str)
DatastoreId = NewType("DatastoreId", str)

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def new_id() -> str:
    """Make a random id: 36 characters of lower-case UUID text."""
    return str(uuid.uuid4())


def is_id(text: str) -> bool:
    """Tell whether `text` is spelt like an id of ours (any case)."""
    return _UUID.fullmatch(text.lower()) is not None
