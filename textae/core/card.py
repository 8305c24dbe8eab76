"""The model card and the machine-readable figures that are written beside every checkpoint."""

import json
import platform
import shlex
import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import torch
import transformers

from textae.core.families import OWN_PRIOR
from textae.core.files import write_text

FIGURES = "figures.json"
PRIOR_WORDS = {
    "standard": "N(0, I)", "sphere": "uniform on the sphere", "uniform_codes": "uniform over codes", "hierarchical": "a Gaussian of each group given those before it",
    "learned_mixture": "a learned mixture of Gaussians", "vamp": "VampPrior, a learned mixture of posteriors", "generator": "a learned generator of codes",
    "categorical": "uniform categories and N(0, I)",
}  # fmt: skip

# key of a figure: (what the card calls it, its unit)
LABELS = {
    "num_examples": ("Examples", ""),
    "nll": ("NLL, importance-weighted", "nats per example"),
    "ppl": ("Perplexity, importance-weighted", "per word and end mark"),
    "elbo_nll": ("-ELBO, one draw", "nats per example"),
    "elbo_ppl": ("Perplexity of the ELBO", "per word and end mark"),
    "word_ppl": ("Perplexity, importance-weighted", "per counted word"),
    "elbo_word_ppl": ("Perplexity of the ELBO", "per counted word"),
    "npmi": ("Coherence of topics: NPMI of their ten top words", "in training documents, -1 to 1"),
    "diversity": ("Different words among those", "share"),
    "loss": ("-ELBO, one draw, while training", "nats per example"),
    "reconstruction": ("Reconstruction of a draw", "nats per example"),
    "reconstruction_at_mean": ("Reconstruction at the posterior mean", "nats per example"),
    "kl": ("KL to the model's prior", "nats per example"),
    "kl_standard": ("KL to N(0, I)", "nats per example"),
    "mi": ("Mutual information", "nats"),
    "ln_n": ("its ceiling ln N", "nats"),
    "active_units": ("Active units", "dimensions"),
    "effective_samples": ("Effective samples, median", ""),
    "squared_error": ("Squared error of reconstructions at the mean", "summed over pixels, per image"),
    "mse": ("Mean squared error", "per pixel"),
    "psnr": ("Peak signal-to-noise ratio of reconstructions", "dB"),
    "bits_per_dim": ("Bits, importance-weighted", "per pixel"),
    "error_rate": ("Classification error of the categories", "%"),
    "knn_accuracy": ("5-nearest-neighbour accuracy on the code", "%"),
    "logistic_accuracy": ("Logistic regression accuracy on the code", "%"),
    "unknown_tokens": ("Tokens that are read as <unk>, none of which counts as reconstructed", "%"),
    "bleu": ("Reconstruction BLEU-4", ""),
    "exact_match": ("Reconstruction exact match", "%"),
    "token_accuracy": ("Tokens reconstructed in their places", "%"),
    "forward_ppl": ("Forward perplexity of prior samples", "per word, trigram LM trained on training text"),
    "forward_ratio": ("the same, over that of validation text", "×"),
    "forward_spelled_ratio": ("the same where unknown words are charged for their spelling too", "×"),
    "unknown": ("Words of samples outside the trigram LM's vocabulary", "%"),
    "unknown_real": ("the same of validation text", "%"),
    "reverse_ppl": ("Reverse perplexity", "per word, the same LM trained on samples"),
    "reverse_ratio": ("the same, over training on as many real sentences", "×"),
    "drawn_forward_ratio": ("Forward perplexity ratio of samples whose words are drawn too, not the likeliest", "×"),
    "drawn_reverse_ratio": ("Reverse perplexity ratio of the same", "×"),
    "distinct_1": ("Distinct words of samples", ""),
    "distinct_2": ("Distinct bigrams of samples", ""),
    "self_bleu": ("Self-BLEU of samples", ""),
    "copied": ("Samples found verbatim in the training text", "share"),
    "length": ("Words a sample", ""),
    "length_real": ("the same of validation text", ""),
    "lm_forward_ratio": ("Forward perplexity ratio of samples by an LSTM language model", "×"),
    "lm_reverse_ratio": ("Reverse perplexity ratio of samples by an LSTM language model", "×"),
    "path_distinct": ("Distinct sentences on straight paths between sentences", "share"),
    "path_change": ("Change in similarity a step on those paths", ""),
    "path_nats_ratio": ("Nats a word of sentences between, over those of the paths' ends", "×"),
}


def hardware() -> str:
    """The processor, cores used and accelerator of this machine, in words."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")), name)
        flags = next((x for x in lines if x.startswith("flags")), "")
        name += " with AMX" if "amx_bf16" in flags else ""
    except OSError:
        pass  # not Linux: the platform's own word is enough
    words = f"{name}, {torch.get_num_threads()} thread(s)"
    return f"{torch.cuda.get_device_name()}; {words}" if torch.cuda.is_available() else words


def provenance(seed: int) -> dict[str, Any]:
    """What every figure comes with: the command as a user would type it again, date, seed, hardware, versions."""
    return {
        "command": " ".join(["textae", *map(shlex.quote, sys.argv[1:])]),
        "date": str(date.today()),
        "seed": seed,
        "hardware": hardware(),
        "versions": f"torch {torch.__version__}, transformers {transformers.__version__}",
    }


def render_card(config: Mapping[str, Any], figures: Mapping[str, Any]) -> str:
    """The card as Markdown with the Hub's front matter.

    Args:
        config: The run's resolved config; its section `card` gives `title`, `summary`, `data`, `license`, `terms`,
            `limits`, `use` (code, in which {name} stands for the name).
        figures: `training` (step, seconds, hardware, command, date, versions) and `evaluation` (split, command and
            measured values) as they are in `figures.json`.
    """
    card = config.get("card", {})
    training, evaluation = figures.get("training", {}), figures.get("evaluation", {})
    title = card.get("title", "A textae model")
    lines = ["---", "library_name: textae", f"license: {card.get('license', 'other')}"]
    of_point = config.get("model", {}).get("posterior") == "point"  # no distribution over codes, so no bound
    lines += ["tags:", "- autoencoder", *(() if of_point else ("- vae",)), f"- {config.get('model', {}).get('name', 'textae')}", "---", "", f"# {title}", ""]
    lines += [card.get("summary", "Trained with textae."), ""]
    lines += ["## Use", "", "```python", card.get("use", "").replace("{name}", card.get("name", "path/to/model")).strip(), "```", ""]
    lines += ["## Data and terms", "", card.get("data", f"`{config.get('data', {}).get('name', 'unknown')}`"), ""]
    if "terms" in card:
        lines += [card["terms"], ""]
    if evaluation:
        lines += ["## Evaluation", "", f"On {evaluation.get('on', 'unnamed data')}; `{evaluation.get('command', '')}`, "
                  f"seed {evaluation.get('seed', 0)}, {evaluation.get('date', '')}, {evaluation.get('hardware', '')}.", ""]  # fmt: skip
        lines += ["| figure | value | unit |", "|---|---|---|"]
        lines += [f"| {LABELS[k][0]} | {_number(evaluation[k])} | {LABELS[k][1]} |" for k in LABELS if k in evaluation]
        drawn = f"Importance weights: {evaluation['samples']} draws. " if "samples" in evaluation else ""
        lines += ["", f"{drawn}Prior: {_prior(config, figures)}.", ""]
    trained_under = _prior(config, {})
    validated = "reconstruction" if of_point else f"-ELBO against {trained_under}"
    lines += ["## Training", ""]
    lines += [f"- {what}: {training[key]}" for key, what in (
        ("command", "Command"), ("date", "Date"), ("hardware", "Hardware"), ("minutes", "Minutes"), ("updates", "Optimizer steps"), ("step", "Optimizer steps of the kept weights"),
        ("seed", "Seed"), ("versions", "Versions"), ("validation_loss", f"Validation {validated}, nats per example"),
    ) if key in training]  # fmt: skip
    lines += [f"- Prior: {_prior(config, figures)}", "", "The resolved config is in `run.yaml` beside this card.", ""]
    if "limits" in card:
        lines += ["## Limits", "", card["limits"], ""]
    return "\n".join(lines)


def write_figures(folder: Path, config: Mapping[str, Any], figures: Mapping[str, Any]) -> None:
    """Write `figures.json` and the card that shows it."""
    write_text(folder / FIGURES, json.dumps(figures, indent=2) + "\n")
    write_text(folder / "README.md", render_card(config, figures))


def read_figures(folder: Path) -> dict[str, Any]:
    """What `write_figures` wrote; empty where there is none."""
    path = folder / FIGURES
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1 else f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _prior(config: Mapping[str, Any], figures: Mapping[str, Any]) -> str:
    """The prior in words: what was fitted after training, else what the model was trained under."""
    if fitted := figures.get("prior"):
        return fitted
    model = config.get("model", {})
    named = model.get("prior", "standard")
    own = OWN_PRIOR.get(model.get("posterior", "gaussian"), named) if named == "standard" else named
    return PRIOR_WORDS.get(own, own)
