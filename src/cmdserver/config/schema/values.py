"""Types that keys of several tables have."""

from typing import Annotated

from msgspec import Meta

NonEmpty = Annotated[str, Meta(min_length=1)]
Seconds = Annotated[float, Meta(gt=0, le=86400 * 7)]
Count = Annotated[int, Meta(ge=1, le=10_000_000)]
CountOrNone = Annotated[int, Meta(ge=0, le=10_000_000)]
#: ``allow``: names of rules of lint, for `validation.allowances` to look at.
Allowed = Annotated[list[NonEmpty], Meta(max_length=100)]
