"""RRS and the discriminator that looks at what it selects."""

import torch

from flawsight.detectors.realnet.residuals import ResidualDiscriminator, selected, together


def test_selection_keeps_exactly_the_top_channels() -> None:
    residuals = torch.rand(3, 10, 4, 5)
    residuals[:, 7, 0, 0], residuals[:, 2] = 9.0, residuals[:, 2] / 100  # the highest peak; the lowest of all
    for mode, figure in (("max", residuals.flatten(2).amax(2)), ("avg", residuals.flatten(2).mean(2))):
        found = selected(residuals, mode, 4)
        assert found.shape == (3, 4, 4, 5)
        for image in range(3):
            best = sorted(range(10), key=lambda channel: -float(figure[image, channel]))[:4]
            assert torch.equal(found[image], residuals[image, best])
    both = selected(residuals, "max&avg", 5)
    assert torch.equal(both, torch.cat([selected(residuals, "max", 3), selected(residuals, "avg", 2)], 1))
    assert selected(residuals, "all", 10) is residuals


def test_ranked_values_choose_and_raw_ones_are_kept() -> None:
    residuals = torch.rand(2, 6, 3, 3)
    assert torch.equal(selected(residuals, "max", 2, -residuals), selected(residuals, "max", 6, -residuals)[:, :2])
    least = (-residuals).flatten(2).amax(2).argmax(1)
    assert torch.equal(selected(residuals, "max", 1, -residuals)[:, 0], residuals[torch.arange(2), least])


def test_residuals_of_all_layers_come_together_on_the_finest_grid() -> None:
    fine, coarse = torch.rand(2, 3, 8, 8), torch.full((2, 4, 2, 2), 5.0)
    whole = together([coarse, fine])
    assert whole.shape == (2, 7, 8, 8)
    assert torch.equal(whole[:, 4:], fine) and torch.equal(whole[:, :4], torch.full((2, 4, 8, 8), 5.0))


def test_discriminator_has_two_logits_at_twice_the_resolution() -> None:
    assert ResidualDiscriminator(9)(torch.rand(2, 9, 5, 7)).shape == (2, 2, 10, 14)
