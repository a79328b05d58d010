"""Training in bfloat16 where that is safe: nearly the same result, in tensors of full precision."""

import numpy as np
import pytest
import torch

from flawsight.detectors import make_detector

TRAINED = {
    "simplenet": {"epochs": 12, "batch_size": 64, "hidden": 32, "learning_rate": 1e-3, "neighbourhood": 1},
    "fastflow": {"flow_steps": 2, "training_steps": 12, "batch_size": 4},
    "ast": {"couplings": 2, "width": 16, "hidden": 16, "blocks": 1, "epochs": 4},
    "autoencoder": {"side": 64, "width": 4, "epochs": 6, "batch_size": 4, "learning_rate": 1e-3},
}


def given(name: str, images: int, seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    if name == "autoencoder":
        return [torch.rand(images, 3, 64, 64, generator=generator)]
    maps = torch.randn(images, 8, 12, 12, generator=generator)
    maps[:, :4] += maps[:, 4:]
    return [maps]


@pytest.mark.parametrize("name", TRAINED)
def test_mixed_precision_gives_nearly_the_same(name: str) -> None:
    learn, queries = given(name, 12, 0), given(name, 4, 1)
    plain, mixed = (make_detector(name, **TRAINED[name], mixed_precision=mixed).fit(learn) for mixed in (False, True))
    found, expected = mixed.anomaly_maps(queries), plain.anomaly_maps(queries)
    assert found.dtype == torch.float32 and not torch.equal(found, expected)
    assert {values.dtype for values in mixed.state_dict().values()} == {
        values.dtype for values in plain.state_dict().values()
    }
    assert np.corrcoef(found.flatten(), expected.flatten())[0, 1] > 0.98
