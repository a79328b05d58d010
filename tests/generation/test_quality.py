"""The figure of quality: 1 for good images, large for noise."""

from collections.abc import Callable

import numpy as np

from flawsight.generation.quality import WORST, relative_frechet_distance


def test_good_images_score_one_and_noise_far_more(texture: Callable) -> None:
    good = [texture(seed, (64, 64)) for seed in range(28)]
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in range(10)]
    flat = [np.full((64, 64, 3), 130, np.uint8)] * 10
    others, seen, unseen = good[:10], good[10:20], good[20:]
    assert 0.5 < relative_frechet_distance(others, seen, unseen) < 2
    assert relative_frechet_distance(noise, seen, unseen) > WORST
    assert relative_frechet_distance(flat, seen, unseen) > WORST
