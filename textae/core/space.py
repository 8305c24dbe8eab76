"""`LatentSpace`, the public face of a trained autoencoder: raw examples in, raw examples out.

Shapes: N examples, D latent dimensions, S steps of a path.
"""

import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from textae.core.autoencoder import Autoencoder
from textae.core.config import choose
from textae.core.data import Batch, Processor
from textae.core.evaluation import MEASURES, Evaluation, Measuring, Scores
from textae.core.files import whole_folder
from textae.core.importance import curve_counts, effective_samples, log_importance_weights, running_bound
from textae.core.latent import PATHS, PointPosterior, Posterior, join
from textae.core.metrics import is_discrete, kl_parts, kl_to_prior

KEPT_FILES = ("README.md", "figures.json", "run.yaml", "examples.txt", "attributes.safetensors", "readers")


@dataclass(frozen=True)
class Score:
    """How well a model explains one example, in nats.

    Attributes:
        nll: Importance-weighted upper bound on -log p(x); of a quantized code reconstruction + kl; NaN for other points.
        reconstruction: -log p(x|z) at the posterior mean.
        kl: KL(q(z|x) || N(0, I)) or, with a fitted prior, to that prior (one draw); of a quantized code -log p of it.
        effective_samples: Of the importance weights, out of `samples`.
        samples: Draws used.
        count: Tokens (with the end mark) or pixels.
    """

    nll: float
    reconstruction: float
    kl: float
    effective_samples: float
    samples: int
    count: int


@dataclass(frozen=True)
class Neighbour:
    """An example near another: Euclidean distance of posterior means."""

    example: Any
    distance: float


class LatentSpace:
    """A model with its processor.

    Every verb takes one example and gives one, or a list and gives a list in the same order; work is batched inside.
    `seed` makes every draw repeatable and leaves torch's global generator as it was.

    Args:
        model: Any autoencoder; put into eval mode.
        processor: Raw ↔ tensors.
        name: For messages and cards.
        examples: A list to search where `neighbours` is given none.
        batch_size: Examples handled at once.
    """

    MEASURES: dict[str, Callable[[Measuring, Evaluation], None]] = MEASURES

    def __init__(
        self, model: Autoencoder, processor: Processor, name: str = "model", examples: Sequence[Any] = (), batch_size: int = 256
    ):
        self.model, self.processor, self.name = model.eval(), processor, name
        self.examples, self.batch_size = list(examples), batch_size
        self.folder: Path | None = None  # where it was loaded from
        self._example_codes: Tensor | None = None  # encoded when first searched

    # --- where it lives ---------------------------------------------------------------------------------------

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return self.model.device

    @property
    def latent_dim(self) -> int:
        """D."""
        return self.model.config.latent_dim

    def to(self, device: str | torch.device) -> "LatentSpace":
        """Move the model; returns itself."""
        self.model.to(device)
        return self

    def save_pretrained(self, folder: str | Path) -> None:
        """Write config, weights and processor; in a folder that holds a model, card and other files stay.

        Raises:
            ValueError: The folder holds other things than a model.
        """
        folder = Path(folder)
        if folder.is_dir() and any(folder.iterdir()) and not (folder / "config.json").is_file():
            raise ValueError(f"{str(folder)!r} holds other files than a model: choose a new or empty folder")
        with whole_folder(folder) as new:
            if folder.is_dir():
                shutil.copytree(folder, new, dirs_exist_ok=True)
            elif self.folder is not None:  # what a copy should have too: the card and its figures, the examples, the attributes
                for name in KEPT_FILES:
                    if (self.folder / name).is_dir():
                        shutil.copytree(self.folder / name, new / name)
                    elif (self.folder / name).is_file():
                        shutil.copy(self.folder / name, new / name)
            self.model.save_pretrained(new)
            self.processor.save_pretrained(new)

    def push_to_hub(self, repo_id: str, *, private: bool = False, token: str | None = None, card: str | None = None) -> str:
        """Upload what `save_pretrained` writes to a Hub model repository; returns its address.

        Args:
            repo_id: Such as `someone/model`; made if it does not exist.
            private: Whether a new repository is private.
            token: Of the Hub; None takes the one that `hf auth login` stored.
            card: Text of a model card; None keeps the one the model was loaded with.
        """
        import tempfile

        from huggingface_hub import HfApi

        api = HfApi(token=token)
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(Path(folder) / "model")
            if card is not None:
                (Path(folder) / "model" / "README.md").write_text(card, encoding="utf-8")
            url = api.create_repo(repo_id, private=private, exist_ok=True)
            api.upload_folder(repo_id=repo_id, folder_path=Path(folder) / "model", commit_message="Upload a textae model")
        return str(url)

    # --- encode and decode ------------------------------------------------------------------------------------

    def posterior(self, raw: Sequence[Any]) -> Posterior:
        """q(z|x) of a list, in its order, on the CPU (or where its networks are, of a family that carries some)."""
        parts = []
        with torch.no_grad():
            for _, batch in (order := _InOrder(self, raw)).batches():
                parts.append(self.model.encode(**batch))
        carries = any(isinstance(getattr(parts[0], f.name), nn.Module) for f in fields(parts[0]))
        return join(parts, lambda columns: order.restore(columns).to(self.device if carries else "cpu"))

    def encode(self, raw: Any, *, sample: bool = False, seed: int | None = None) -> Tensor:
        """Codes: posterior means, or draws with `sample`; shape (D,) for one example, (N, D) for a list."""
        single = self.processor.is_single(raw)
        with seeded(seed), torch.no_grad():
            posterior = self.posterior([raw] if single else raw)
            z = (posterior.sample() if sample else posterior.mean).cpu()
        return z[0] if single else z

    def decode(
        self, z: Tensor, *, attributes: Mapping[str, str] | Tensor | None = None, seed: int | None = None, **options: Any
    ) -> Any:
        """Examples at codes: one for shape (D,), a list for (N, D).

        Args:
            z: Codes.
            attributes: Values to condition on, for all codes; or what the model takes for each of them, shape (N, ·).
            seed: Of sampled decoding.
            **options: Of the model's `generate`; sentences take all of transformers': `num_beams=5`, `do_sample=True`,
                `top_k`, `top_p`, `temperature`, `num_return_sequences`, `max_new_tokens`.
        """
        z = torch.as_tensor(z, dtype=torch.float32)
        if z.shape[-1] != self.latent_dim or z.dim() not in (1, 2):
            raise ValueError(f"codes have shape {tuple(z.shape)}; {self.name} takes ({self.latent_dim},) or (N, {self.latent_dim})")
        if len(z) == 0:
            raise ValueError("there are no codes to decode: give at least one")
        if not torch.isfinite(z).all():
            raise ValueError("codes must be finite numbers")
        rows, decoded = z.reshape(-1, self.latent_dim), []
        with torch.no_grad(), seeded(seed):
            for start in range(0, len(rows), self.batch_size):
                part = rows[start : start + self.batch_size]
                given = self._condition(start, len(part), attributes)
                decoded += self.processor.decode(self.model.generate(part.to(self.device), **given, **options).cpu())
        return decoded[0] if z.dim() == 1 and len(decoded) == 1 else decoded

    def _condition(self, start: int, num: int, attributes: Mapping[str, str] | Tensor | None) -> dict[str, Tensor]:
        if isinstance(attributes, Tensor):
            return {"attributes": attributes[start : start + num].to(self.device)}
        if not attributes:
            return {}
        rows = torch.from_numpy(self.processor.attribute_ids([attributes] * num))
        if not self.model.config.decoder_attributes:  # it was shown labels in training, for its prior or its categories alone
            raise ValueError(f"{self.name} is not conditioned on attributes: leave them out, or open a model that is")
        return {"attributes": rows.to(self.device)}

    # --- verbs ------------------------------------------------------------------------------------------------

    def reconstruct(self, raw: Any, **options: Any) -> Any:
        """Decode the posterior means; options as in `decode`."""
        return self.decode(self.encode(raw), **options)

    def sample(
        self, num: int = 1, *, spread: float = 1.0, seed: int | None = None, attributes: Mapping[str, str] | None = None,
        **options: Any,
    ) -> list[Any]:  # fmt: skip
        """Decode draws from the model's prior.

        Args:
            num: How many.
            spread: Scales the noise that the prior turns into codes: below one is more typical, above one more daring.
            seed: Makes them repeatable.
            attributes: Values to condition on.
            **options: As in `decode`.
        """
        if num < 1:
            raise ValueError(f"num is {num}; at least one sample must be asked for")
        with torch.no_grad(), seeded(seed):
            z = self.model.prior.sample(num, spread)
            return self.decode(z, attributes=attributes, **options)

    def interpolate(self, a: Any, b: Any, *, steps: int = 7, path: str = "lerp", **options: Any) -> list[Any]:
        """Decode `steps` points between two examples, both ends included; `path` is "lerp" or "slerp"."""
        if steps < 2:
            raise ValueError(f"steps is {steps}; a path has at least its two ends")
        z = self.encode([a, b])
        return self.decode(choose(PATHS, path, "path")(z[0], z[1], torch.linspace(0, 1, steps)), **options)

    def traverse(self, raw: Any, dimension: int, *, span: float = 3.0, steps: int = 7, **options: Any) -> list[Any]:
        """Decode an example's code with one dimension set to `steps` values from -span to span."""
        if not 0 <= dimension < self.latent_dim:
            raise ValueError(f"dimension is {dimension}; {self.name} has 0 to {self.latent_dim - 1}")
        if steps < 2:
            raise ValueError(f"steps is {steps}; a path has at least its two ends")
        if not self.processor.is_single(raw):
            raise ValueError("traverse takes one example, not a list")
        z = self.encode(raw).repeat(steps, 1)
        z[:, dimension] = torch.linspace(-span, span, steps)
        return self.decode(z, **options)

    def arithmetic(self, plus: Sequence[Any], minus: Sequence[Any] = (), **options: Any) -> Any:
        """Decode the sum of some codes minus others: `plus=[a, c], minus=[b]` is a - b + c."""
        if not plus:
            raise ValueError("arithmetic needs at least one example to add")
        z = self.encode([*plus, *minus])
        return self.decode(z[: len(plus)].sum(0) - z[len(plus) :].sum(0), **options)

    def neighbours(self, raw: Any, among: Sequence[Any] | None = None, *, num: int = 5) -> Any:
        """The `num` nearest examples of a list (the bundled one where none is given), by distance of posterior means."""
        among = self.examples if among is None else list(among)
        if not among:
            raise ValueError(f"{self.name} has no bundled examples: give a list to search")
        if num < 1:
            raise ValueError(f"num is {num}; at least one neighbour must be asked for")
        single = self.processor.is_single(raw)
        queries = self.encode([raw] if single else raw)
        # Not through matrix products, which leave 1e-3 between equal codes.
        distances = torch.cdist(queries, self._codes_of(among), compute_mode="donot_use_mm_for_euclid_dist")
        near = distances.topk(min(num, len(among)), largest=False)
        found = [
            [Neighbour(among[i], d) for i, d in zip(row.tolist(), values.tolist(), strict=True)]
            for row, values in zip(near.indices, near.values, strict=True)
        ]
        return found[0] if single else found

    def _codes_of(self, among: list[Any]) -> Tensor:
        if among is not self.examples:
            return self.encode(among)
        if self._example_codes is None:
            self._example_codes = self.encode(among)
        return self._example_codes

    # --- numbers ----------------------------------------------------------------------------------------------

    def score(
        self, raw: Any, *, samples: int = 100, seed: int = 0, attributes: Sequence[Mapping[str, str]] | None = None,
        bf16: bool = False, progress: bool = False,
    ) -> Any:  # fmt: skip
        """A `Score` for one example, a list of them for a list: importance-weighted with exactly `samples` draws.

        Args:
            raw: One example or a list.
            samples: K.
            seed: Of the draws.
            attributes: What each example is conditioned on.
            bf16: Compute in bfloat16 by autocast; about twice as fast on CPUs with AMX.
            progress: Whether to draw a bar on standard error.
        """
        if samples < 1:
            raise ValueError(f"samples is {samples}; at least one draw is needed")
        single = self.processor.is_single(raw)
        found = self.score_all([raw] if single else list(raw), samples, seed, attributes, bf16, progress)
        columns = zip(found.nll, found.reconstruction, found.kl, found.effective_samples, found.count, strict=True)
        scores = [Score(nll=n, reconstruction=r, kl=k, effective_samples=e, samples=samples, count=c) for n, r, k, e, c in columns]
        return scores[0] if single else scores

    def score_all(
        self, examples: Sequence[Any], samples: int, seed: int = 0, attributes: Sequence[Mapping[str, str]] | None = None,
        bf16: bool = False, progress: bool = False,
    ) -> Scores:  # fmt: skip
        """Scores of a list with the running bound; with `samples` 0 there are no importance weights, and `nll` is NaN where it needs them."""
        columns: dict[str, list[Tensor]] = {n: [] for n in ("nll", "reconstruction", "kl", "effective_samples", "count")}
        curve, parts, exact = [], [], False
        with torch.no_grad(), seeded(seed), torch.autocast(self.device.type, torch.bfloat16, enabled=bf16):
            order = _InOrder(self, examples, attributes)
            total = -(-len(examples) // self.batch_size)
            for _, batch in tqdm(order.batches(), total=total, desc="score", unit="batch", leave=False, disable=not progress):
                posterior = self.model.encode(**batch)
                reconstruction, count = self.model.nll(posterior.mean, **batch)
                columns["reconstruction"].append(reconstruction)
                columns["count"].append(count)
                z, exact = posterior.sample(), is_discrete(self.model, posterior)
                if isinstance(posterior, PointPosterior):
                    columns["kl"].append(kl_to_prior(self.model, posterior, z))
                else:
                    parts.append(kl_parts(posterior, self.model.prior, z))
                    columns["kl"].append(parts[-1].sum(1))
                if exact:  # every draw is the same, and so are their weights
                    columns["nll"].append(columns["reconstruction"][-1] + columns["kl"][-1])
                    columns["effective_samples"].append(torch.full_like(reconstruction, samples))
                elif not samples or isinstance(posterior, PointPosterior):
                    columns["nll"].append(torch.full_like(reconstruction, float("nan")))
                    columns["effective_samples"].append(torch.zeros_like(reconstruction))
                else:
                    weights = log_importance_weights(self.model, batch, samples)
                    bounds = running_bound(weights, curve_counts(samples))
                    columns["nll"].append(bounds[-1])
                    columns["effective_samples"].append(effective_samples(weights))
                    curve.append(bounds.sum(1))
        values = {name: order.restore(column).tolist() for name, column in columns.items()}
        return Scores(
            **values, exact=exact, curve=(torch.stack(curve).sum(0) / len(examples)).tolist() if curve else [],
            kl_parts=torch.cat(parts).double().mean(0).tolist() if parts else [],
        )  # fmt: skip

    def elbo_all(self, raw: Sequence[Any], seed: int = 0, attributes: Sequence[Mapping[str, str]] | None = None, bf16: bool = False) -> Tensor:
        """-ELBO of each example by one draw, in nats, shape (N,), float64."""
        parts = []
        with torch.no_grad(), seeded(seed), torch.autocast(self.device.type, torch.bfloat16, enabled=bf16):
            for _, batch in (order := _InOrder(self, raw, attributes)).batches():
                output = self.model(**batch)
                parts.append(output.nll.cpu().double() + kl_to_prior(self.model, output.posterior, output.z).cpu())
        return order.restore(parts)

    def evaluate(
        self, raw: Sequence[Any], *, only: Sequence[str] = (), samples: int = 100, seed: int = 0,
        attributes: Sequence[Mapping[str, str]] | None = None, bf16: bool = False, progress: bool = False,
    ) -> dict[str, Any]:  # fmt: skip
        """Figures of a whole list, nats per example: see the keys. Arguments as in `score`.

        `nll` (importance-weighted, `samples` draws) with its running curve `nll_curve`, `elbo_nll` (reconstruction + KL, one
        draw), `kl` (to the model's prior), `kl_standard` and `kl_per_dimension` (analytic, to N(0, I)), `mi` of `mi_examples`
        with its ceiling `ln_n`, `active_units`, `effective_samples` (median). A point has none of these but
        `active_units`; a quantized code under a prior over codes has `elbo_nll` and `kl`, both exact.

        Args:
            raw: Examples.
            only: Names of measures, keys of `MEASURES`; empty: all.
        """
        return self.measure(raw, only=only, samples=samples, seed=seed, attributes=attributes, bf16=bf16, progress=progress).figures

    def measure(
        self, raw: Sequence[Any], *, only: Sequence[str] = (), samples: int = 100, seed: int = 0,
        attributes: Sequence[Mapping[str, str]] | None = None, bf16: bool = False, progress: bool = False,
    ) -> Evaluation:  # fmt: skip
        """What `evaluate` finds, with each example's own numbers, by which models can be compared."""
        if isinstance(samples, bool) or not isinstance(samples, int) or samples < 1:
            raise ValueError(f"samples is {samples}; it is a whole number of draws, at least one")
        if isinstance(raw, str) or isinstance(only, str):
            raise ValueError(f"got one text, {raw if isinstance(raw, str) else only!r}; give a list")
        return Measuring(self, raw, only, samples, seed, attributes, bf16, progress).run()


class _InOrder:
    """Batches of similar cost over a list, and the way back to the list's order."""

    def __init__(self, space: LatentSpace, raw: Sequence[Any], attributes: Sequence[Mapping[str, str]] | None = None):
        if len(raw) == 0:
            raise ValueError("the list is empty: give at least one example")
        if attributes is not None and len(attributes) != len(raw):
            raise ValueError(f"{len(raw)} examples come with {len(attributes)} rows of attributes; there must be one for each")
        self.space, self.raw, self.attributes = space, list(raw), attributes
        space.processor.check(self.raw)
        self.order = sorted(range(len(self.raw)), key=lambda i: space.processor.cost(self.raw[i]))

    def batches(self) -> Iterator[tuple[list[int], Batch]]:
        size = self.space.batch_size
        for start in range(0, len(self.order), size):
            indices = self.order[start : start + size]
            rows = None if self.attributes is None else [self.attributes[i] for i in indices]
            batch = self.space.processor([self.raw[i] for i in indices], rows)
            yield indices, {name: t.to(self.space.device) for name, t in batch.items()}

    def restore(self, parts: list[Tensor]) -> Tensor:
        joined = torch.cat(parts).cpu()
        back = torch.empty(len(self.order), dtype=torch.long)
        back[torch.tensor(self.order)] = torch.arange(len(self.order))
        return joined[back]


_DRAWING = threading.RLock()


@contextmanager
def seeded(seed: int | None) -> Iterator[None]:
    """Draw from a generator seeded with `seed`, and leave the global one untouched; with None just draw.

    One thread draws at a time: torch has one global generator for all of them.
    """
    with _DRAWING:
        if seed is None:
            yield
            return
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            yield


def as_rows(scores: Sequence[Score]) -> list[dict[str, float]]:
    """Scores as plain dictionaries, for JSON."""
    return [asdict(s) for s in scores]
