"""What every section of the configuration is: closed, so that a misspelt key is an error, and frozen."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A table of the configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True)
