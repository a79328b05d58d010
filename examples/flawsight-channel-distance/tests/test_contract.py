"""It promises what every detector does."""

from collections.abc import Callable

from flawsight_channel_distance import ChannelDistance

from flawsight.testing import parametrize_with_checks


@parametrize_with_checks([ChannelDistance(), ChannelDistance(floor=0.5)])
def test_contract(check: Callable[[], None]) -> None:
    """One test for each check of each detector."""
    check()
