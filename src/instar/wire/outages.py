"""What was seen, from outside, of the time that clients could not connect."""

from pydantic import BaseModel, Field


class OutageView(BaseModel):
    """How long nobody could connect to an instance while an operation was under way, by the wall clock."""

    seconds: float = Field(default=0.0, description="all told, with what lasts still")
    longest: float = 0.0
    count: int = 0
    began: float | None = Field(default=None, description="when the first one began")
    ended: float | None = Field(default=None, description="when the last one ended that has ended")
    down_since: float | None = Field(default=None, description="when the one began that lasts still")
    seen: float = Field(default=0.0, description="when one looked last")
    ever_up: bool = Field(default=False, description="whether a look ever got in")
    whole: bool = Field(default=True, description="false when there was a time in which nobody looked")
    resolution: float = Field(
        default=0.0, description="between two looks of which one got in and one did not, at most"
    )
