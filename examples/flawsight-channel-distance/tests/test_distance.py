"""What it measures."""

import pytest
import torch
from flawsight_channel_distance import ChannelDistance

from flawsight.core import FlawsightError


def test_it_measures_in_standard_deviations() -> None:
    """Good maps have mean 1; an outlier of 6 deviations 36, and nothing beside it."""
    good = 3 + 2 * torch.randn(40, 5, 8, 8, generator=torch.Generator().manual_seed(0))
    detector = ChannelDistance().fit([good])
    assert detector.anomaly_maps([good]).mean() == pytest.approx(1, abs=1e-3)
    outlier = torch.full((1, 5, 8, 8), 3.0)
    outlier[0, :, 2, 2] = 3 + 2 * 6
    found = detector.anomaly_maps([outlier])
    assert found[0, 2, 2] == pytest.approx(36, rel=0.1)
    assert found.sum() - found[0, 2, 2] < 0.1
    again = ChannelDistance().load_state_dict(detector.state_dict())
    assert torch.equal(again.anomaly_maps([outlier]), found)
    with pytest.raises(FlawsightError, match="5 channels"):
        detector.anomaly_maps([torch.zeros(1, 4, 8, 8)])
