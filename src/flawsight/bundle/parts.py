"""What every part of the manifest is."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """Frozen; unknown entries are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
