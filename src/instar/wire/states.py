"""Every status word, one sentence under each."""

from enum import StrEnum


class InstanceStatus(StrEnum):
    """What the control plane is doing with an instance; the `status` of the REST contract."""

    BUILD = "BUILD"
    """A create operation is under way."""
    ACTIVE = "ACTIVE"
    """No operation is under way and the last one left the instance usable."""
    UPGRADE = "UPGRADE"
    """An upgrade is under way, or the undoing of one."""
    REBOOT = "REBOOT"
    """A restart of the database, or a reboot of the server, is under way."""
    RESIZE = "RESIZE"
    """The instance is becoming one of another flavor, or its volume grows."""
    RESTART_REQUIRED = "RESTART_REQUIRED"
    """Usable as ACTIVE is; a value of its configuration waits for a restart."""
    SHUTDOWN = "SHUTDOWN"
    """A delete is under way."""
    ERROR = "ERROR"
    """An operation failed where it could not go back; `fault` says what and what to do."""
    DELETED = "DELETED"
    """The instance is gone; its row is hidden from every list."""


USABLE = (InstanceStatus.ACTIVE, InstanceStatus.RESTART_REQUIRED)
"""Statuses of an instance at rest whose database serves."""


class ServiceStatus(StrEnum):
    """What the guest says of its database; the `operating_status` of the REST contract."""

    NEW = "NEW"
    """The guest has not prepared a database yet."""
    HEALTHY = "HEALTHY"
    """The database answered a query through its private socket and lets clients in."""
    SHUTDOWN = "SHUTDOWN"
    """The database was stopped on purpose."""
    FAILED = "FAILED"
    """The database should run and does not, or does not answer."""
    ERROR = "ERROR"
    """The guest itself could not be reached for longer than the presence limit."""
    UNKNOWN = ""
    """Nobody has asked since the last change; shown as an empty word."""


class OperationState(StrEnum):
    """Where an operation stands as a whole."""

    OPEN = "OPEN"
    """Its cursor stands on a step that is due, running or waiting."""
    SUCCEEDED = "SUCCEEDED"
    """Its last step was done, and what it claims was read back."""
    FAILED = "FAILED"
    """A step failed; `error` says why and the instance's status says where that left it."""


class StepState(StrEnum):
    """What became of one step of an operation."""

    PENDING = "PENDING"
    """The cursor has not reached it."""
    RUNNING = "RUNNING"
    """The cursor stands on it; it runs or waits, with a reason."""
    DONE = "DONE"
    """It was done."""
    FAILED = "FAILED"
    """It failed, with an error."""
    SKIPPED = "SKIPPED"
    """The operation ended, or went another way, without it."""


class Stretch(StrEnum):
    """What a step's failure costs."""

    PREPARE = "prepare"
    """The database serves clients; undo freely."""
    SWITCH = "switch"
    """Downtime; a way back at every step."""
    SETTLE = "settle"
    """Serving again."""


class JobState(StrEnum):
    """Where a named job of the guest stands."""

    NOT_STARTED = "NotStarted"
    """No job of that name was ever started here."""
    IN_PROGRESS = "InProgress"
    """It runs."""
    SUCCEEDED = "Succeeded"
    """It ended well; `result` is there."""
    FAILED = "Failed"
    """It ended badly, or the agent died while it ran; `error` is there."""


class ServerState(StrEnum):
    """What a provider says of a server."""

    MISSING = "MISSING"
    """There is no such server."""
    BUILDING = "BUILDING"
    """It is being made, rebuilt or booted."""
    ACTIVE = "ACTIVE"
    """Its machine runs; whether its agent answers is for the guest channel to say."""
    STOPPED = "STOPPED"
    """It exists and does not run."""
    ERROR = "ERROR"
    """The provider gave up on it; `reason` says why."""
