"""What a heartbeat may bring: how the call goes, as the page measured it, and which of the person's tabs says so."""

import uuid
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from soulseer.blueprints.api_types import ApiModel
from soulseer.services import connection_samples

Milliseconds = Annotated[float, Field(ge=0, le=60_000, allow_inf_nan=False)]


class Statistics(ApiModel):
    """Of what comes in, since the last beat; what is not known is left out or null. `freezes` counts from the call's
    beginning. `quality` is the page's own verdict; `lost`: the media connection does not stand."""

    model_config = ConfigDict(extra="ignore", strict=True)

    round_trip_ms: Milliseconds | None = None
    loss_percent: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] | None = None
    bitrate_kbps: Annotated[float, Field(ge=0, le=10_000_000, allow_inf_nan=False)] | None = None
    freezes: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    jitter_ms: Milliseconds | None = None
    quality: Literal["unknown", "good", "fair", "poor", "lost"] | None = None


class Heartbeat(ApiModel):
    """Both parts may be left out. `tab` is a UUID that each page makes for itself."""

    connection: Statistics | None = None
    tab: uuid.UUID | None = None

    @property
    def measured(self) -> str:
        """The statistics as they are gathered; empty where there are none."""
        if self.connection is None:
            return ""
        tab = 0 if self.tab is None else self.tab.fields[0]
        return connection_samples.as_text(self.connection.__dict__, tab)
