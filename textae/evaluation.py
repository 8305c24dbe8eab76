"""What an evaluation of sentences measures beside the core's: perplexities, reconstructions, and paths between sentences.

Samples are judged in `metrics.py`, since that needs training text; how models compare is in `comparison.py`.

Shapes: N sentences.
"""

import random

import torch

from textae.core import evaluation as core
from textae.core.evaluation import Evaluation, Measuring
from textae.interpolation_metrics import smoothness
from textae.metrics import bleu_statistics, corpus_bleu, count_words, exact_match, perplexity, token_hits

PATHS, STEPS = 100, 7  # pairs of sentences that are walked between, and points on each way, both ends included


def likelihood(ask: Measuring, found: Evaluation) -> None:
    """The core's, with `ppl` per word and end mark and `ppl_per_token`, as the tokenizer counts."""
    core.likelihood(ask, found)
    _perplexities(ask, found, "nll", "ppl")


def elbo(ask: Measuring, found: Evaluation) -> None:
    """The core's, with `elbo_ppl` and `elbo_ppl_per_token`."""
    core.elbo(ask, found)
    _perplexities(ask, found, "elbo_nll", "elbo_ppl")


def _perplexities(ask: Measuring, found: Evaluation, bound: str, name: str) -> None:
    """exp(total nats / (words + one end mark each)), words being separated by blanks whatever the tokenizer; and by tokens.

    With `unknown_tokens`, the percentage that the tokenizer reads as <unk>: each is as cheap as all of them together, so that bounds
    compare only where this is the same.
    """
    words = [count_words(sentence) for sentence in ask.raw]
    processor = ask.space.processor
    unknown, tokens = sum(map(len, processor.unknown(ask.raw))), sum(map(len, processor.tokenize(ask.raw)))
    found.figures["unknown_tokens"] = 100 * unknown / tokens
    found.columns["words"], found.figures["words"] = torch.tensor(words, dtype=torch.float64), sum(words)
    if found.figures.get(bound) is not None:
        total, num = found.figures[bound] * len(ask.raw), len(ask.raw)
        found.figures[name] = perplexity(total, sum(words), num)
        found.figures[f"{name}_per_token"] = perplexity(total, found.figures["tokens_or_pixels"] - num, num)


def rebuilt(ask: Measuring, found: Evaluation) -> None:
    """Greedy reconstructions of the posterior means: `bleu` (corpus BLEU-4), `exact_match` and `token_accuracy` in percent.

    The last is the share of the sentences' tokens, with their end, that stand at the same place in the reconstruction. A word that the
    tokenizer does not know is never rebuilt: <unk> for it is a miss.
    """
    from textae.core.space import seeded

    with seeded(ask.seed):  # a language model draws its words
        said = ask.space.rebuild(ask.raw, ask.attributes)
    processor = ask.space.processor
    wanted = processor.references(ask.raw)
    found.figures["bleu"], found.columns["bleu"] = corpus_bleu(said, wanted), bleu_statistics(said, wanted)
    found.figures["exact_match"] = exact_match(said, wanted)
    found.columns["exact"] = torch.tensor([a == b for a, b in zip(said, wanted, strict=True)], dtype=torch.float64)
    ids, targets = (processor.tokenizer(texts, add_special_tokens=False)["input_ids"] for texts in (said, ask.raw))
    for row, unknown in zip(targets, processor.unknown(ask.raw), strict=True):
        for place in unknown:
            row[place] = -1
    hits, ends = token_hits(ids, targets), [len(row) + 1 for row in targets]
    found.columns["token_hits"], found.columns["tokens"] = torch.tensor(hits).double(), torch.tensor(ends).double()
    found.figures["token_accuracy"] = 100 * sum(hits) / sum(ends)


def walk(space, sentences: list[str], seed: int = 0, paths: int = PATHS, steps: int = STEPS) -> list[list[str]]:
    """Sentences on straight ways between pairs, drawn without replacement: `steps` on each, both ends decoded too.

    Raises:
        ValueError: Fewer than two sentences, no paths, or fewer than two steps.
    """
    if len(sentences) < 2 or paths < 1 or steps < 2:
        raise ValueError(f"got {len(sentences)} sentences, paths={paths} and steps={steps}: a way needs two sentences and two points")
    from textae.core.space import seeded

    num = min(paths, len(sentences) // 2)
    ends = random.Random(seed).sample(list(sentences), 2 * num)
    z = space.encode(ends)
    share = torch.linspace(0, 1, steps)[None, :, None]
    points = (1 - share) * z[:num, None] + share * z[num:, None]
    with seeded(seed):
        said = space.decode(points.flatten(0, 1))
    return [said[i : i + steps] for i in range(0, len(said), steps)]


def interpolation(ask: Measuring, found: Evaluation) -> None:
    """How even the ways between pairs of sentences are: the figures of `interpolation_metrics.smoothness`, without a language model."""
    if len(ask.raw) > 1:
        found.figures |= smoothness(walk(ask.space, ask.raw, ask.seed))


MEASURES = {**core.MEASURES, "likelihood": likelihood, "elbo": elbo, "bleu": rebuilt, "interpolation": interpolation}
