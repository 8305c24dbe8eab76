"""Numbers over lists of sentences: agreement with sacrebleu, closed forms, and mistakes that are named."""

import math
import random

import pytest

from textae.metrics import (
    corpus_bleu,
    count_words,
    distinct_n,
    exact_match,
    perplexity,
    sample_quality,
    self_bleu,
)
from textae.ngram import words

NOUNS = ["ferry", "lantern", "baker", "river", "clock", "garden"]
VERBS = ["waits", "glows", "turns", "sings"]
PLACES = ["by the mill", "in the rain", "at noon", "under the bridge"]


def grammar(num_sentences, seed, nouns=NOUNS):
    rng = random.Random(seed)
    return [f"the {rng.choice(nouns)} {rng.choice(VERBS)} {rng.choice(PLACES)} ." for _ in range(num_sentences)]


def test_identical_sentences_score_full_marks():
    text = grammar(20, seed=0)
    assert math.isclose(corpus_bleu(text, text), 100)
    assert exact_match(text, text) == 100


def test_bleu_falls_with_every_changed_word():
    reference = ["the ferry waits by the old stone mill ."]
    one = corpus_bleu(["the barge waits by the old stone mill ."], reference)
    two = corpus_bleu(["the barge waits by the new stone mill ."], reference)
    assert 0 < two < one < 100


def test_exact_match_in_percent():
    assert exact_match(["a b", "c", "d ", "e"], ["a b", "c", "d", "f"]) == 50


def test_self_bleu_equals_sacrebleu_against_the_others():
    from sacrebleu.metrics import BLEU

    sentences = [
        *grammar(12, seed=1),
        "the the the river river",
        "noon",
        "the clock , the clock and the clock turns",
        "never !",
    ]
    bleu = BLEU(tokenize="none", effective_order=True)
    split = [" ".join(words(s)) for s in sentences]
    scores = [bleu.sentence_score(s, split[:i] + split[i + 1 :]).score for i, s in enumerate(split)]
    assert math.isclose(self_bleu(sentences), sum(scores) / len(scores), rel_tol=1e-9)


def test_self_bleu_tells_repetition_from_variety():
    assert math.isclose(self_bleu(["the clock turns at noon ."] * 10), 100)
    assert self_bleu(["one two three four", "five six seven eight", ""]) < 20


def test_self_bleu_draws_by_seed_and_not_by_order():
    sentences = grammar(60, seed=2)
    assert self_bleu(sentences, sample=20, seed=3) == self_bleu(sentences[::-1], sample=20, seed=3)
    assert self_bleu(sentences, sample=20, seed=3) != self_bleu(sentences, sample=20, seed=4)


def test_distinct_by_hand():
    assert distinct_n(["a b a b", "a b"], 1) == 2 / 6
    assert distinct_n(["a b a b", "a b"], 2) == 2 / 4
    assert distinct_n(["a", "b"], 2) == 0


def test_perplexity_of_uniform_guessing_is_the_number_of_choices():
    assert math.isclose(perplexity(12 * math.log(50), num_words=9, num_sentences=3), 50)
    assert perplexity(1e6, num_words=1, num_sentences=1) == math.inf
    assert count_words(" it works ,  mostly\t. ") == 5


def test_real_text_as_samples_has_ratios_near_one():
    quality = sample_quality(grammar(400, seed=1), grammar(1000, seed=2), grammar(200, seed=3), size=300)
    assert quality.num_samples == 300
    assert 0.9 < quality.forward_ratio < 1.1
    assert 0.9 < quality.reverse_ratio < 1.1
    assert quality.copied > 0.9  # the grammar has 96 sentences


def test_reverse_perplexity_punishes_missing_words_that_forward_does_not():
    """A collapsed sampler: fluent, one noun. Forward looks better than real text, reverse shows the loss."""
    real, narrow = grammar(300, seed=1), grammar(300, seed=1, nouns=["river"])
    train, valid = grammar(1000, seed=2), grammar(200, seed=3)
    good, bad = sample_quality(real, train, valid), sample_quality(narrow, train, valid)
    assert bad.forward_ratio <= good.forward_ratio * 1.01
    assert bad.reverse_ratio > 1.3 * good.reverse_ratio
    assert bad.distinct_1 < good.distinct_1


def gibberish(num_sentences, seed):
    rng = random.Random(seed)
    return [" ".join("".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 8))) for _ in range(5)) + " ." for _ in range(num_sentences)]


def named(num_sentences, seed):
    """Sentences whose words are mostly known, and with one chance in five a name that hardly occurs again."""
    rng = random.Random(seed)
    known = [*NOUNS, *VERBS, *" ".join(PLACES).split(), *"a some every old small gray here now then soon often never".split()]

    def word():
        return rng.choice(known) if rng.random() < 0.8 else "".join(rng.choice("bdklmnrst") + rng.choice("aeiou") for _ in range(rng.randint(3, 4)))

    return [" ".join(word() for _ in range(6)) + " ." for _ in range(num_sentences)]


def test_random_letters_are_judged_worse_than_real_text():
    """The flaw: `<unk>` carried the mass of all rare words, so that whatever nobody ever wrote was cheap."""
    train, valid = named(600, seed=2), named(150, seed=3)
    nonsense, real = (sample_quality(samples, train, valid) for samples in (gibberish(200, seed=1), named(200, seed=1)))
    assert nonsense.forward_ratio < 0.8 and nonsense.forward_spelled_ratio > 3
    assert 0.9 < real.forward_ratio < 1.1 and 0.8 < real.forward_spelled_ratio < 1.25
    assert nonsense.unknown > 80 and 10 < real.unknown < 25 and abs(real.unknown - real.unknown_real) < 5
    assert nonsense.unknown_real == real.unknown_real


def test_without_unknown_words_spelling_costs_nothing():
    quality = sample_quality(grammar(200, seed=1), grammar(300, seed=2), grammar(100, seed=3))
    assert quality.unknown == quality.unknown_real == 0
    assert quality.forward_spelled_ppl == pytest.approx(quality.forward_ppl) and quality.forward_spelled_ratio == pytest.approx(quality.forward_ratio)


def test_fewer_samples_shrink_the_real_side_too():
    train, valid = grammar(500, seed=2), grammar(100, seed=3)
    few = sample_quality(grammar(50, seed=1), train, valid)
    many = sample_quality(grammar(500, seed=1), train, valid)
    assert (few.num_samples, many.num_samples) == (50, 500)
    assert few.reverse_ppl_real > many.reverse_ppl_real
    assert few.forward_ppl_real == many.forward_ppl_real


def test_sample_quality_ignores_the_order_of_its_lists():
    lists = grammar(200, seed=1), grammar(300, seed=2), grammar(100, seed=3)
    forward, backward = (sample_quality(*(text[::step] for text in lists), size=100, seed=5) for step in (1, -1))
    assert forward.reverse_ppl == pytest.approx(backward.reverse_ppl, rel=1e-12)
    assert (forward.self_bleu, forward.distinct_2, forward.copied) == (
        backward.self_bleu,
        backward.distinct_2,
        backward.copied,
    )


def test_copied_counts_verbatim_sentences_only():
    train = ["the ferry waits .", "the clock turns .", "the ferry turns ."]
    samples = ["the ferry waits .", "The ferry waits .", "the clock waits .", "the clock turns ."]
    assert sample_quality([*samples, *samples], [*train, *train, *train], train).copied == 0.5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: corpus_bleu([], []), "hypotheses is empty"),
        (lambda: corpus_bleu(["a"], ["a", "b"]), "1 hypotheses for 2 references"),
        (lambda: exact_match(["a"], []), "references is empty"),
        (lambda: exact_match("a", ["a"]), "not one string"),
        (lambda: self_bleu(["alone"]), "2 or more"),
        (lambda: self_bleu(["a", "b"], sample=1), "2 or more"),
        (lambda: distinct_n([], 1), "sentences is empty"),
        (lambda: distinct_n(["a"], 0), "n must be 1 or more"),
        (lambda: sample_quality([], ["a"], ["a"]), "samples is empty"),
        (lambda: sample_quality(["a"], ["a", "a"], ["a"]), "2 or more"),
        (lambda: perplexity(1.0, 3, 0), "num_sentences >= 1"),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
