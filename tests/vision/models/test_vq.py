"""VQ-VAE: the contract of every image model on a grid of codes, its bound, its prior, exact resume.

Shapes: B images, C channels, H, W height and width, h, w those of the grid, D latent dimensions, K codes.
"""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.testing import assert_close

from textae.core.autoencoder import make_config
from textae.core.code_prior import CodeSequence, UniformCodes
from textae.core.data import Splits
from textae.core.latent import QuantizedPosterior
from textae.core.metrics import bound, importance_nll, kl_to_prior
from textae.core.objectives import TERMS, Objective
from textae.core.options import TrainerOptions
from textae.core.prior import GaussianMixture, StandardNormal
from textae.core.trainer import Trainer
from vision.data.batching import in_memory
from vision.data.images import ImageSet
from vision.data.processor import ImageProcessor
from vision.models import model_classes
from vision.models.base import LIKELIHOODS
from vision.models.vq import VQAutoencoder, VQConfig
from vision.space import LatentSpace

ROOT = Path(__file__).parents[3]
SMALL = {"height": 9, "width": 7, "channels": 2, "filters": [4, 6], "residual_blocks": 1, "num_codes": 5, "code_dim": 3, "latent_dim": 6}
PRIOR = {"num_codes": 5, "code_dim": 3, "hidden_dim": 8, "layers": 1, "heads": 2}
OBJECTIVE = {"reconstruction": None, "commitment": None}


def images(num=6, channels=2, height=9, width=7, seed=0):
    """Of 8-bit pixels, which every likelihood takes."""
    return torch.randint(256, (num, channels, height, width), generator=torch.Generator().manual_seed(seed)) / 255


def build(seed=0, seen=True, **changes):
    """A small model in eval mode; `seen`: its codebook has started at a first batch."""
    torch.manual_seed(seed)
    model = VQAutoencoder(make_config(VQConfig, {**SMALL, **changes}))
    if seen:
        config = model.config
        model.train()(pixel_values=images(20, config.channels, config.height, config.width, seed=5))
    return model.eval()


def make_trainer(out, *, interrupt=0, **options):
    """A trainer of a small model on 40 images: five batches an epoch; `interrupt` raises after so many."""
    rng = np.random.default_rng(0)
    pictures = rng.choice([20, 230], (40, 2, 1, 3)).repeat([5, 4], 1).repeat(7, 2) + rng.integers(0, 20, (40, 9, 7, 3))
    pictures = pictures.astype(np.uint8)  # two fields of color
    train = ImageSet(pictures)
    processor = ImageProcessor.of(train)
    data = in_memory(train, processor, batch_size=8, seed=1)
    model = build(channels=3, seen=False, filters=[8, 16], decay=0.8, revive_after=3)
    options = TrainerOptions(**{"epochs": 3, "lr": 0.01, "device": "cpu", "progress": False, "save_every": 2, **options})
    splits = Splits(Interrupting(data, interrupt) if interrupt else data, in_memory(train, processor, batch_size=8, shuffle=False))
    return Trainer(model.train(), Objective.from_config(OBJECTIVE, TERMS), splits, out, options)


class Interrupting:
    """Batches that stop a run after some."""

    def __init__(self, batches, num):
        self.batches, self.left = batches, num

    def __len__(self):
        return len(self.batches)

    def epoch(self, *args, **kwargs):
        for batch in self.batches.epoch(*args, **kwargs):
            if not self.left:
                raise KeyboardInterrupt
            self.left -= 1
            yield batch


# --- the contract -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_contract(likelihood, tmp_path):
    model, x = build(likelihood=likelihood), images()
    out = model(pixel_values=x)
    assert out.nll.shape == (6,) and out.z.shape == (6, 6) and out.count.tolist() == [126] * 6
    assert type(out.posterior) is QuantizedPosterior and out.posterior.indices.shape == (6, 2)
    assert model.generate(out.z).shape == x.shape
    assert_close(model(pixel_values=x[2:3]).nll, out.nll[2:3], atol=1e-4, rtol=1e-5)
    y = x.flip(0)
    assert_close(model.nll(out.z, pixel_values=y)[0], model.nll(out.z, pixel_values=x, targets=y)[0])
    model.train()(pixel_values=x).nll.sum().backward()
    unused = [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert not unused, f"no gradient reaches {unused}"
    model.eval().save_pretrained(tmp_path)
    again = VQAutoencoder.from_pretrained(tmp_path)
    assert again.state_dict().keys() == model.state_dict().keys()
    assert all(torch.equal(t, model.state_dict()[n]) for n, t in again.state_dict().items())
    assert torch.equal(again(pixel_values=x).nll, model(pixel_values=x).nll)
    assert again.config.to_dict() == VQAutoencoder.from_pretrained(tmp_path).config.to_dict()


def test_it_has_its_name():
    assert model_classes("vq") == (VQConfig, VQAutoencoder)
    model = VQAutoencoder(VQConfig())
    assert model.config.grid == (7, 7) and model.generate(torch.zeros(1, 392)).shape == (1, 1, 28, 28)


@pytest.mark.parametrize("height, width, filters, grid", [(4, 4, [3, 3], (1, 1)), (5, 13, [3], (2, 6)), (28, 27, [3, 4, 5], (3, 3)), (11, 7, [2, 2], (2, 1))])
def test_images_of_any_size_come_back_in_their_size(height, width, filters, grid):
    model = build(height=height, width=width, filters=filters, latent_dim=3 * math.prod(grid))
    assert model.config.grid == grid
    out = model(pixel_values=images(3, 2, height, width))
    assert out.posterior.indices.shape == (3, math.prod(grid)) and model.generate(out.z).shape == (3, 2, height, width)


def test_every_pixel_is_read_and_written():
    for height, width in ((8, 12), (9, 7)):
        latent = 3 * (height // 4) * (width // 4)
        model, x = build(height=height, width=width, latent_dim=latent), images(1, 2, height, width).requires_grad_()
        torch.manual_seed(0)
        (model.encode(pixel_values=x).mean * torch.randn(latent)).sum().backward()
        assert (x.grad != 0).float().mean() > 0.95 and (x.grad[..., -1, :] != 0).any() and (x.grad[..., -1] != 0).any()
        z = model.codebook.codes[torch.randint(5, (60, latent // 3))].flatten(1)
        assert (model.generate(z).std(0) > 0).all()


def test_codes_stand_row_by_row():
    """A pixel in the lower right corner reaches the last code only, and the last code that corner's pixels."""
    model, x = build(height=24, width=24, residual_blocks=0, latent_dim=3 * 36), images(4, 2, 24, 24)
    moved = x.clone()
    moved[..., -1, -1] = 30.0
    changed = (model.encode(pixel_values=moved).indices != model.encode(pixel_values=x).indices).any(0).nonzero().flatten().tolist()
    assert changed == [35]
    rows = torch.zeros(5, 36, dtype=torch.long)
    rows[:, 5] = torch.arange(5)  # the upper right corner
    decoded = model.generate(model.codebook.codes[rows].flatten(1))
    differs = (decoded.std(0) > 0).any(0)
    assert differs[0, -1] and not differs[:, :8].any() and not differs[16:].any()


def test_labels_change_what_is_decoded():
    model = build(attributes={"label": ["a", "b", "c"]})
    z = model.codebook.codes[:2].flatten()[None].expand(4, -1)
    decoded = model.generate(z, attributes=torch.tensor([[-1], [0], [1], [2]]))
    assert len({tuple(d.flatten().tolist()) for d in decoded}) == 4
    assert_close(decoded[:1], model.generate(z[:1]))


def test_generate_takes_points_to_their_codes():
    model = build()
    z = model.encode(pixel_values=images()).mean
    assert torch.equal(model.generate(z + 1e-5), model.generate(z))
    assert torch.equal(model.generate(z), model.likelihood.mean(model.pixels(z)))
    assert not torch.equal(model.pixels(z + 0.1), model.pixels(z)), "pixels decode what they are given"


def test_bfloat16_decodes_and_trains():
    model = build()
    with torch.autocast("cpu", torch.bfloat16):
        out = model.train()(pixel_values=images())
    (out.nll + out.posterior.distance).sum().backward()
    assert out.z.dtype == torch.float32 and all(p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize(
    "settings, words",
    [({"latent_dim": 5}, "latent_dim is 5; 2 x 1 codes of code_dim=3 make it 6"), ({"num_codes": 1}, "at least 2 codes"),
     ({"posterior": "gaussian"}, "posterior=point"), ({"k_sparse": 2}, "no categories, k_sparse"), ({"filters": []}, "at least one layer"),
     ({"filters": [2, 2, 2]}, "too many for images of 9 x 7"), ({"residual_blocks": -1}, "cannot be negative"), ({"decay": 1.0}, "between 0 and 1"),
     ({"revive_after": -1}, "number of batches"), ({"prior_options": {"num_codes": 9, "code_dim": 3}}, "num_codes=9.*leave prior_options out"),
     ({"code_dim": 0}, "at least 1"), ({"num_code": 4}, "num_codes")],
)  # fmt: skip
def test_what_cannot_be_is_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        build(**settings)


# --- bounds -------------------------------------------------------------------------------------------------------


def test_the_bound_is_reconstruction_and_the_nats_of_the_code():
    """van den Oord et al. 2017, sec. 3.1: the KL of a one-hot posterior to a uniform prior is log K a position."""
    model, x = build(), images()
    posterior = model.encode(pixel_values=x)
    assert_close(kl_to_prior(model, posterior, posterior.mean), torch.full((6,), 2 * math.log(5)))
    with torch.no_grad():
        measured, nll = bound(model, [{"pixel_values": x}]), model(pixel_values=x).nll
    assert measured.kl == pytest.approx(2 * math.log(5)) and measured.loss == pytest.approx(nll.mean().item() + 2 * math.log(5), rel=1e-6)
    with pytest.raises(ValueError, match="a point posterior has no likelihood bound"):
        importance_nll(model, {"pixel_values": x})


def test_a_space_reports_the_bound():
    model = build(channels=3)
    space = LatentSpace(model, ImageProcessor(3, 9, 7), batch_size=4)
    raw = list(np.random.default_rng(0).integers(0, 256, (10, 9, 7, 3), dtype=np.uint8))
    scores = space.score(raw, samples=7)
    assert all(s.nll == pytest.approx(s.reconstruction + 2 * math.log(5), rel=1e-5) and s.effective_samples == 7 for s in scores)
    figures = space.evaluate(raw)
    assert figures["elbo_nll"] == pytest.approx(np.mean([s.nll for s in scores])) and "nll" not in figures and figures["kl"] == pytest.approx(2 * math.log(5))
    assert figures["bits_per_dim"] == pytest.approx(figures["elbo_nll"] / 189 / math.log(2)) and "kl_standard" not in figures
    model.set_prior("standard", StandardNormal(6), {})
    assert math.isnan(space.score(raw[0]).nll) and not {"nll", "elbo_nll"} & set(space.evaluate(raw)), "a density of codes is no mass on them"


def test_every_verb_of_a_space_works():
    space = LatentSpace(build(channels=3), ImageProcessor(3, 9, 7), batch_size=4)
    raw = list(np.random.default_rng(0).integers(0, 256, (6, 9, 7, 3), dtype=np.uint8))
    assert space.encode(raw).shape == (6, 6)
    assert np.array_equal(space.reconstruct(raw)[0], space.decode(space.encode(raw[0])))
    path = space.interpolate(raw[0], raw[1], steps=9)
    known = {d.tobytes() for d in space.decode(space.model.codebook.codes[torch.cartesian_prod(*[torch.arange(5)] * 2)].flatten(1))}
    assert {image.tobytes() for image in path} <= known, "points between codes decode as codes"
    assert {image.tobytes() for image in space.sample(5, seed=0)} <= known and len(space.neighbours(raw[0], raw)) == 5


# --- its prior ----------------------------------------------------------------------------------------------------


def test_the_uniform_prior_follows_the_codebook(tmp_path):
    model = build(seen=False)
    assert isinstance(model.prior, UniformCodes) and model.config.prior_options == {"num_codes": 5, "code_dim": 3}
    for _ in range(2):
        assert torch.equal(model.prior.codebook, model.codebook.codes)
        model.train()(pixel_values=images())
    model.save_pretrained(tmp_path)
    again = VQAutoencoder.from_pretrained(tmp_path)
    assert torch.equal(again.prior.codebook, model.codebook.codes)
    drawn = again.prior.sample(50)
    assert torch.equal(again.codebook.snap(drawn), drawn) and len(drawn.unique(dim=0)) > 10


@torch.no_grad()
def test_a_fitted_prior_travels_with_its_model(tmp_path):
    model = build()
    z = torch.cat([model.encode(pixel_values=images(40, seed=s)).mean for s in range(3)])
    prior = CodeSequence(6, **PRIOR)
    prior.fit(z, steps=60, batch_size=16, lr=1e-2)
    before = prior.log_prob(z)
    model.set_prior("codes", prior, PRIOR)
    assert_close(model.prior.log_prob(z), before)
    assert torch.equal(model.prior.codebook, model.codebook.codes), "the prior counts codes as the codebook does"
    posterior = model.encode(pixel_values=images())
    assert_close(kl_to_prior(model, posterior, posterior.mean), -model.prior.log_prob(posterior.mean))
    assert kl_to_prior(model, posterior, posterior.mean).mean() < 2 * math.log(5)
    model.save_pretrained(tmp_path)
    again = VQAutoencoder.from_pretrained(tmp_path)
    assert torch.equal(again.prior.log_prob(z), model.prior.log_prob(z)) and not any(p.requires_grad for p in again.prior.parameters())
    torch.manual_seed(0)
    drawn = model.prior.sample(20)
    torch.manual_seed(0)
    assert torch.equal(again.prior.sample(20), drawn) and torch.equal(again.codebook.snap(drawn), drawn)
    halved = build().to(torch.float16)  # a checkpoint in half precision rounds codebook and prior alike
    assert torch.equal(halved.prior.codebook, halved.codebook.codes)


def test_an_unfitted_prior_of_a_config_can_be_saved_and_loaded(tmp_path):
    model = build(prior="codes", prior_options=PRIOR)
    z = model.encode(pixel_values=images()).mean
    assert_close(model.prior.log_prob(z), torch.full((6,), -2 * math.log(5)))
    model.save_pretrained(tmp_path)
    assert torch.equal(VQAutoencoder.from_pretrained(tmp_path).prior.log_prob(z), model.prior.log_prob(z))


def test_priors_over_other_codes_are_refused():
    model = build()
    with pytest.raises(ValueError, match="'num_codes': 9.*the model's codebook has.*'num_codes': 5"):
        model.set_prior("codes", CodeSequence(6, num_codes=9, code_dim=3), {"num_codes": 9, "code_dim": 3})
    other = CodeSequence(6, **PRIOR)
    other.fit(build(seed=3).encode(pixel_values=images()).mean, steps=1)
    with pytest.raises(ValueError, match="fitted to . codes that the model's codebook lacks"):
        model.set_prior("codes", other, PRIOR)
    assert isinstance(model.prior, UniformCodes) and model.config.prior == "uniform_codes"
    model.set_prior("mixture", GaussianMixture(6, 1), {"components": 1})
    assert model.generate(model.prior.sample(3)).isfinite().all()


# --- training -----------------------------------------------------------------------------------------------------


def everything(trainer):
    found = {**trainer.model.state_dict()}
    for i, values in trainer.optimizer.state_dict()["state"].items():
        found |= {f"optimizer.{i}.{n}": torch.as_tensor(v) for n, v in values.items()}
    return {n: t.clone() for n, t in found.items()}


@pytest.mark.parametrize("options", [{}, {"accumulate": 2, "precision": "bf16", "save_every": 1}], ids=["plain", "accumulation, bf16"])
def test_a_run_stopped_in_mid_epoch_and_resumed_equals_the_unbroken_one(options, tmp_path):
    whole = make_trainer(tmp_path / "whole", **options)
    whole.fit()
    expected = everything(whole)
    assert {"codebook.codes", "codebook.counts", "codebook.sums", "prior.codebook"} <= set(expected)
    with pytest.raises(KeyboardInterrupt):
        make_trainer(tmp_path / "broken", interrupt=8, **options).fit()
    resumed = make_trainer(tmp_path / "broken", **options)
    torch.manual_seed(77)  # whatever state the global generator is in
    resumed.fit(resume=True)
    found = everything(resumed)
    different = [n for n in expected if not torch.equal(found[n], expected[n])]
    assert found.keys() == expected.keys() and not different, different


def test_training_helps_and_logs_the_bound(tmp_path):
    trainer = make_trainer(tmp_path, epochs=30, log_every=5, save_every=200, eval_every=200)
    before = trainer.evaluate()
    trainer.fit()
    after = trainer.evaluate()
    assert after.reconstruction < before.reconstruction - 20 and after.kl == pytest.approx(2 * math.log(5))
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert all(line["commitment"] > 0 and line["weight_commitment"] == 0.25 for line in lines if line["split"] == "train")
    assert trainer.model.codebook.perplexity > 1.5


def test_validation_does_not_move_codes(tmp_path):
    seen = []
    for name, options in (("often", {"eval_every": 1}), ("never", {"eval_every": 1000})):
        trainer = make_trainer(tmp_path / name, epochs=1, **options)
        trainer.fit()
        seen.append(everything(trainer))
    assert all(torch.equal(seen[0][n], seen[1][n]) for n in seen[0])


def save_everything(trainer, path):
    save_file({n: t.contiguous() for n, t in everything(trainer).items()}, path)


TWO = """
import os, runpy, sys, torch
tests = runpy.run_path("tests/vision/models/test_vq.py")
torch.set_num_threads(1)
trainer = tests["make_trainer"](f"{sys.argv[1]}/run", epochs=4, accumulate=2)
assert trainer.fit().step > 3 and trainer.accelerator.num_processes == 2
tests["save_everything"](trainer, f"{sys.argv[1]}/{os.environ['RANK']}.safetensors")
torch.distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes_agree(tmp_path):
    (tmp_path / "two.py").write_text(TWO)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", str(tmp_path / "two.py"), str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = (load_file(tmp_path / f"{rank}.safetensors") for rank in (0, 1))
    different = [n for n in first if not torch.equal(first[n], second[n])]
    assert len(first) > 20 and not different, different
