"""Settings of how, when and how often customers are contacted: sections of ``[notifiers]``."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from device_models.duration import Duration, parse_duration


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Learning(_Section):
    """Learning which channel each customer answers on."""

    enabled: bool = True
    holdout: Annotated[float, Field(ge=0, le=0.5)] = 0.05
    """Share of the customers for whom nothing is learned, so that the gain can be measured."""
    half_life: Annotated[Duration, Field(gt=parse_duration("0s"))] = parse_duration("180d")
    """After this time an outcome counts half."""
    answer_within: Annotated[Duration, Field(gt=parse_duration("0s"))] = parse_duration("3d")
    """An answer, a receipt or the end of the fault counts for a message within this time."""
