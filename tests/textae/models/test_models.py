"""What every family in `MODELS` must do: one contract, so that a new family is tested before its author writes a test."""

import pytest
import torch

from textae.core.autoencoder import make_config
from textae.models import MODELS, model_classes


@pytest.mark.parametrize("name", [name for name in MODELS if "point" in model_classes(name)[0].families])
def test_a_code_may_have_categories(name):
    """The clustering and semi-supervised modes of an adversarial autoencoder serve sentences as they serve images."""
    config_class, model_class = model_classes(name)
    torch.manual_seed(0)
    settings = {"vocab_size": 50, "latent_dim": 6, "posterior": "point", "categories": 3, "prior": "categorical"}
    model = model_class(make_config(config_class, settings)).eval()
    posterior = model.encode(input_ids=torch.randint(5, 50, (4, 7)), attention_mask=torch.ones(4, 7, dtype=torch.long))
    assert posterior.category_logits.shape == (4, 3)
    assert torch.allclose(posterior.mean[:, :3].sum(1), torch.ones(4)) and posterior.mean.shape == (4, 6)
    assert model.generate(model.prior.sample(2), max_new_tokens=3).shape[0] == 2
