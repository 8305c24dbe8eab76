"""The public face: order in is order out, draws repeat and disturb nothing, numbers agree with each other."""

import math

import pytest
import torch
from torch.testing import assert_close

from textae.core.latent import slerp
from textae.core.prior import GaussianMixture
from textae.core.space import LatentSpace, as_rows
from textae.space import LatentSpace as TextSpace

SHORT = {"max_new_tokens": 6}


@pytest.fixture(scope="module")
def space(processor, new_model):
    return TextSpace(new_model(processor, seed=1, scale=2.5), processor, name="tiny", batch_size=4)


@pytest.fixture(scope="module")
def mixed(sentences):
    """Thirteen sentences, neither sorted by length nor a multiple of the batch, one of them twice."""
    chosen = [sentences[i] for i in (30, 2, 17, 5, 8, 11, 0, 23, 14, 35, 26, 1)]
    return [*chosen, chosen[3]]


@pytest.fixture(scope="module")
def point_space(processor, new_model):
    return TextSpace(new_model(processor, posterior="point"), processor, name="point")


def state():
    return torch.get_rng_state()


# --- order --------------------------------------------------------------------------------------------------------


def test_codes_come_in_input_order(space, mixed):
    """A known tool returns them sorted by length, and every (sentence, z) dump of it is mismatched."""
    together = space.encode(mixed)
    assert together.shape == (13, 4)
    for sentence, z in zip(mixed, together, strict=True):
        assert_close(space.encode(sentence), z)
    assert_close(space.encode(mixed[::-1]), together.flip(0))
    assert torch.pdist(together[:12]).min() > 1e-4


def test_scores_and_posteriors_come_in_input_order(space, mixed):
    together = space.score(mixed, samples=2)
    for sentence, score in zip(mixed, together, strict=True):
        alone = space.score(sentence, samples=2)
        assert alone.reconstruction == pytest.approx(score.reconstruction, rel=1e-5)
        assert alone.kl == pytest.approx(score.kl, rel=1e-5)
        assert alone.count == score.count == len(sentence.split()) + 1 and score.samples == 2
    posterior = space.posterior(mixed)
    assert_close(posterior.mean, space.encode(mixed))
    assert_close(posterior.kl().sum(1), torch.tensor([s.kl for s in together]))


def test_sentences_come_in_the_order_of_codes(space, mixed):
    z = space.encode(mixed)
    together = space.decode(z, **SHORT)
    assert together == [space.decode(row, **SHORT) for row in z] == space.reconstruct(mixed, **SHORT)
    assert len(set(together)) > 1


def test_one_gives_one_and_a_list_gives_a_list(space, mixed):
    assert space.encode(mixed[0]).shape == (4,) and space.encode(mixed[:1]).shape == (1, 4)
    assert isinstance(space.decode(torch.zeros(4), **SHORT), str) and isinstance(space.decode(torch.zeros(1, 4), **SHORT), list)
    assert isinstance(space.reconstruct(mixed[0], **SHORT), str) and isinstance(space.reconstruct(tuple(mixed[:1]), **SHORT), list)
    assert not isinstance(space.score(mixed[0], samples=1), list) and isinstance(space.score(mixed[:1], samples=1), list)
    assert len(space.decode(torch.zeros(4), num_return_sequences=3, do_sample=True, **SHORT)) == 3
    assert len(space.decode(torch.zeros(2, 4), num_return_sequences=3, num_beams=3, **SHORT)) == 6
    assert space.decode([0.0, 0, 0, 0], **SHORT) == space.decode(torch.zeros(4, dtype=torch.float64), **SHORT)


def test_attributes_stay_with_their_sentence(attribute_processor, new_model, mixed):
    space = TextSpace(new_model(attribute_processor, scale=2.0), attribute_processor, batch_size=4)
    rows = [{"mood": ("good", "bad", "flat")[i % 3]} for i in range(13)]
    together = space.score(mixed, samples=1, attributes=rows)
    for i in (0, 1, 7, 12):
        alone = space.score(mixed[i], samples=1, attributes=[rows[i]])
        assert alone.reconstruction == pytest.approx(together[i].reconstruction, rel=1e-5)
        other = space.score(mixed[i], samples=1, attributes=[{"tense": "past"}])
        assert other.reconstruction != pytest.approx(alone.reconstruction, rel=1e-6)
    z = torch.randn(9, 4, generator=torch.Generator().manual_seed(0))
    said = [space.decode(z, attributes={"mood": m}, **SHORT) for m in ("good", "bad", "flat")]
    assert len(set(map(tuple, said))) > 1


# --- draws --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "draw",
    [lambda s, x, seed: s.encode(x, sample=True, seed=seed).tolist(), lambda s, x, seed: s.sample(5, seed=seed, do_sample=True, **SHORT),
     lambda s, x, seed: s.decode(torch.zeros(3, 4), do_sample=True, seed=seed, **SHORT), lambda s, x, seed: s.score(x, samples=3, seed=seed),
     lambda s, x, seed: s.reconstruct(x, do_sample=True, seed=seed, **SHORT)],
    ids=["encode", "sample", "decode", "score", "reconstruct"],
)  # fmt: skip
def test_a_seed_repeats_draws_and_leaves_the_global_generator(space, mixed, draw):
    torch.manual_seed(9)
    before = state()
    first = draw(space, mixed, 5)
    assert torch.equal(state(), before)
    torch.manual_seed(10)
    assert draw(space, mixed, 5) == first != draw(space, mixed, 6)


def test_without_a_seed_the_global_generator_decides(space, mixed):
    torch.manual_seed(3)
    first, second = space.encode(mixed, sample=True), space.encode(mixed, sample=True)
    torch.manual_seed(3)
    assert torch.equal(space.encode(mixed, sample=True), first) and not torch.equal(first, second)


def test_means_are_deterministic_even_of_a_model_in_training(processor, new_model, mixed):
    """Another library's `embed` and `reconstruct` stay random in eval mode."""
    space = TextSpace(new_model(processor, dropout=0.5).train(), processor)
    assert not space.model.training
    assert torch.equal(space.encode(mixed), space.encode(mixed))
    assert torch.equal(space.encode(mixed), space.posterior(mixed).mean)
    assert space.reconstruct(mixed, **SHORT) == space.reconstruct(mixed, **SHORT)
    before = state()
    space.evaluate(mixed, samples=2)
    assert torch.equal(state(), before)


def test_drawn_codes_have_the_spread_of_their_posterior(space, mixed):
    q = space.posterior(mixed[:3])
    torch.manual_seed(0)
    draws = torch.stack([space.encode(mixed[:3], sample=True) for _ in range(300)])
    assert_close(draws.std(0) / torch.exp(0.5 * q.logvar), torch.ones(3, 4), atol=0.2, rtol=0)


def test_samples_come_from_the_models_prior(space):
    seen = []

    class Prior(GaussianMixture):
        def sample(self, num, spread=1.0):
            seen.append((num, spread))
            return torch.full((num, 4), 0.5)

    usual, space.model.prior = space.model.prior, Prior(4, 1)
    try:
        assert space.sample(3, spread=0.7, **SHORT) == [space.decode(torch.full((4,), 0.5), **SHORT)] * 3
    finally:
        space.model.prior = usual
    assert seen == [(3, 0.7)]


# --- paths and arithmetic -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["lerp", "slerp"])
def test_interpolation_ends_in_the_reconstructions(space, mixed, path):
    a, b = mixed[0], mixed[1]
    points = space.interpolate(a, b, steps=5, path=path, **SHORT)
    assert len(points) == 5
    assert points[0] == space.reconstruct(a, **SHORT) and points[-1] == space.reconstruct(b, **SHORT)


def test_interpolation_takes_the_path_it_is_told(space, mixed):
    """Slerp is defined and never called in a well-known repository."""
    decoded = []
    original, space.decode = space.decode, lambda z, **_: decoded.append(z) or ["" for _ in z]
    try:
        for path in ("lerp", "slerp"):
            space.interpolate(mixed[0], mixed[1], steps=3, path=path)
    finally:
        space.decode = original
    a, b = space.encode(mixed[:2])
    assert_close(decoded[0][1], (a + b) / 2)
    assert_close(decoded[1], slerp(a, b, torch.linspace(0, 1, 3)))
    assert not torch.allclose(decoded[0][1], decoded[1][1])


def test_traverse_sets_one_dimension(space, mixed):
    z = space.encode(mixed[0]).repeat(3, 1)
    z[:, 2] = torch.tensor([-9.0, 0.0, 9.0])
    assert space.traverse(mixed[0], 2, span=9.0, steps=3, **SHORT) == space.decode(z, **SHORT)


def test_arithmetic_adds_and_takes_away(space, mixed):
    a, b, c = mixed[:3]
    assert space.arithmetic([a, b], [a], **SHORT) == space.reconstruct(b, **SHORT)
    assert space.arithmetic([b], **SHORT) == space.reconstruct(b, **SHORT)
    z = space.encode([a, b, c])
    assert space.arithmetic([a, c], [b], **SHORT) == space.decode(z[0] + z[2] - z[1], **SHORT)


# --- neighbours ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [12, 36])  # torch.cdist takes another way above 25, which blurs small distances
def test_the_nearest_to_a_member_is_itself(space, sentences, size):
    among = sentences[:size]
    for query, found in zip(among, space.neighbours(among, among, num=3), strict=True):
        assert found[0].example == query and found[0].distance < 1e-5
        assert [n.distance for n in found] == sorted(n.distance for n in found)


def test_neighbours_equal_brute_force(space, mixed, sentences):
    found = space.neighbours(mixed[0], sentences[5:20], num=4)
    distances = {s: float((space.encode(s) - space.encode(mixed[0])).norm()) for s in sentences[5:20]}
    assert [n.example for n in found] == sorted(distances, key=distances.get)[:4]
    for n in found:
        assert n.distance == pytest.approx(distances[n.example], abs=1e-5)
    assert len(space.neighbours(mixed[0], mixed[:2], num=5)) == 2
    nested = space.neighbours([mixed[0]], mixed, num=1)
    assert isinstance(nested, list) and isinstance(nested[0], list)


def test_bundled_examples_are_searched_where_no_list_is_given(processor, space, sentences):
    with_examples = TextSpace(space.model, processor, examples=sentences)
    assert with_examples.neighbours(sentences[7])[0].example == sentences[7]
    assert with_examples.neighbours(sentences[9])[0].example == sentences[9]
    assert with_examples.neighbours(sentences[7], sentences[:2], num=1)[0].example in sentences[:2]
    with pytest.raises(ValueError, match="tiny has no bundled examples"):
        space.neighbours("the cat")


# --- numbers ------------------------------------------------------------------------------------------------------


def test_scores_agree_with_the_model(space, mixed):
    batch = space.processor(mixed[:1])
    score = space.score(mixed[0], samples=50)
    with torch.no_grad():
        q = space.model.encode(**batch)
        assert score.reconstruction == pytest.approx(space.model.nll(q.mean, **batch)[0].item(), rel=1e-5)
    assert score.kl == pytest.approx(q.kl().sum().item(), rel=1e-5)
    assert 1 <= score.effective_samples <= 50 and math.isfinite(score.nll)
    assert as_rows([score])[0]["nll"] == score.nll


def test_score_uses_exactly_its_draws(space, mixed):
    calls, original = [], space.model.nll
    space.model.nll = lambda z, **batch: calls.append(len(z)) or original(z, **batch)
    try:
        space.score(mixed, samples=7)
    finally:
        del space.model.nll
    assert sum(calls) == 13 * (7 + 1)  # and one at the mean


def test_evaluate_adds_up(space, mixed):
    figures = space.evaluate(mixed, samples=20)
    scores = space.score(mixed, samples=20)
    assert figures["num_examples"] == 13 and figures["samples"] == 20
    assert figures["nll"] == pytest.approx(sum(s.nll for s in scores) / 13)
    assert figures["nll"] <= figures["elbo_nll"] + 0.5  # the bound tightens, up to the noise of one draw
    assert figures["kl"] == pytest.approx(figures["kl_standard"], rel=1e-5)
    assert figures["ln_n"] == pytest.approx(math.log(13)) and 0 <= figures["mi"] <= figures["ln_n"] + 1e-6
    assert 1 <= figures["effective_samples"] <= 20 and figures["active_units"] in range(5)
    words = sum(len(s.split()) for s in mixed)
    assert figures["words"] == words and figures["tokens_or_pixels"] == words + 13
    assert figures["ppl"] == pytest.approx(math.exp(13 * figures["nll"] / (words + 13)))
    assert figures["elbo_ppl"] == pytest.approx(math.exp(13 * figures["elbo_nll"] / (words + 13)))
    rebuilt = space.reconstruct(mixed)
    assert figures["exact_match"] == pytest.approx(100 * sum(r == s for r, s in zip(rebuilt, mixed, strict=True)) / 13)
    assert 0 <= figures["bleu"] <= 100
    assert space.evaluate(mixed, samples=20) == figures and space.evaluate(mixed[::-1], samples=20)["kl"] == pytest.approx(figures["kl"])


def test_evaluate_of_a_point_posterior_claims_no_likelihood(point_space, mixed):
    figures = point_space.evaluate(mixed)
    assert not {"nll", "ppl", "kl", "mi", "elbo_nll"} & set(figures) and {"reconstruction_at_mean", "bleu"} <= set(figures)
    score = point_space.score(mixed[0])
    assert math.isnan(score.nll) and score.kl == 0 and math.isfinite(score.reconstruction)


def test_a_fitted_prior_changes_the_bound_but_not_the_standard_kl(processor, new_model, mixed):
    model = new_model(processor, seed=1, scale=2.5)
    before = LatentSpace(model, processor).evaluate(mixed, samples=50)
    prior = GaussianMixture(4, 2)
    prior.fit(LatentSpace(model, processor).encode(mixed * 4, sample=True, seed=1))
    model.set_prior("mixture", prior, {"components": 2})
    after = LatentSpace(model, processor).evaluate(mixed, samples=50)
    assert after["kl_standard"] == pytest.approx(before["kl_standard"]) and after["kl"] < before["kl"]
    assert after["nll"] != before["nll"] and after["elbo_nll"] < before["elbo_nll"]
    assert after["reconstruction_at_mean"] == pytest.approx(before["reconstruction_at_mean"])


def test_bfloat16_is_close(space, mixed):
    high, low = space.evaluate(mixed, samples=5), space.evaluate(mixed, samples=5, bf16=True)
    assert low["reconstruction_at_mean"] == pytest.approx(high["reconstruction_at_mean"], rel=0.05)
    assert low["nll"] == pytest.approx(high["nll"], rel=0.1)


# --- mistakes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "act, message",
    [
        (lambda s: s.encode([]), "the list is empty"),
        (lambda s: s.encode(["a", ""]), "sentence 2 is empty"),
        (lambda s: s.encode(["a", "b", 3]), "sentence 3 is int"),
        (lambda s: s.encode("a " * 40), "sentence 1 has 40 tokens"),
        (lambda s: s.decode(torch.zeros(3)), r"codes have shape \(3,\); tiny takes \(4,\) or \(N, 4\)"),
        (lambda s: s.decode(torch.zeros(2, 2, 4)), "codes have shape"),
        (lambda s: s.decode(torch.zeros(0, 4)), "no codes|empty|at least one"),
        (lambda s: s.decode(torch.full((4,), float("nan"))), "finite"),
        (lambda s: s.decode(torch.zeros(4), max_new_token=3), "max_new_token"),
        (lambda s: s.decode(torch.zeros(4), attributes={"mood": "good"}), "no attribute 'mood'"),
        (lambda s: s.sample(0), "num is 0"),
        (lambda s: s.interpolate("the cat", "she", steps=1), "steps is 1"),
        (lambda s: s.interpolate("the cat", "she", path="slurp"), "no path 'slurp': did you mean 'slerp'"),
        (lambda s: s.traverse("the cat", 4), "dimension is 4; tiny has 0 to 3"),
        (lambda s: s.traverse("the cat", -1), "dimension is -1"),
        (lambda s: s.traverse("the cat", 0, steps=1), "steps is 1"),
        (lambda s: s.traverse(["the cat", "she"], 0), "one example"),
        (lambda s: s.arithmetic([]), "at least one example to add"),
        (lambda s: s.neighbours("the cat", []), "no bundled examples|give a list"),
        (lambda s: s.neighbours("the cat", ["she"], num=0), "num is 0"),
        (lambda s: s.score([]), "the list is empty"),
        (lambda s: s.score(["a", "b"], attributes=[{}]), "2 examples come with 1 rows of attributes"),
        (lambda s: s.score("the cat", samples=0), "samples is 0"),
        (lambda s: s.evaluate([]), "the list is empty"),
    ],
)
def test_mistakes_are_said_in_a_sentence(space, act, message):
    with pytest.raises(ValueError, match=message):
        act(space)


# --- where it lives -----------------------------------------------------------------------------------------------


def test_a_saved_space_gives_the_same_numbers(space, mixed, tmp_path):
    space.save_pretrained(tmp_path / "model")
    (tmp_path / "model" / "examples.txt").write_text("\n".join(mixed))
    again = TextSpace.from_pretrained(tmp_path / "model")
    again.batch_size = space.batch_size  # draws are made batch by batch, and padding moves the last digits
    assert all(torch.equal(t, space.model.state_dict()[n]) for n, t in again.model.state_dict().items()) and again.examples == mixed
    assert_close(again.encode(mixed), space.encode(mixed))  # where weights lie in memory moves some processors' last digits
    assert [s.nll for s in again.score(mixed, samples=3)] == pytest.approx([s.nll for s in space.score(mixed, samples=3)], rel=1e-5)
    assert again.sample(4, seed=1, **SHORT) == space.sample(4, seed=1, **SHORT)
    assert TextSpace.from_pretrained(tmp_path).encode(mixed[0]).shape == (4,)  # the folder of a run will do


def test_a_failing_save_leaves_the_old_checkpoint(space, mixed, tmp_path):
    space.save_pretrained(tmp_path / "model")

    class Broken:
        def save_pretrained(self, folder):
            raise OSError("the tokenizer cannot be written")

    with pytest.raises(OSError, match="cannot be written"):
        LatentSpace(space.model, Broken()).save_pretrained(tmp_path / "model")
    assert_close(TextSpace.from_pretrained(tmp_path / "model").encode(mixed), space.encode(mixed))
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_what_is_no_checkpoint_is_said(space, tmp_path):
    with pytest.raises(ValueError, match="holds no model"):
        TextSpace.from_pretrained(tmp_path)
    with pytest.raises(ValueError, match="no model './nowhere/at/all'"):
        TextSpace.from_pretrained("./nowhere/at/all")
    space.save_pretrained(tmp_path / "model")
    config = tmp_path / "model" / "config.json"
    config.write_text(config.read_text().replace("textae_rnn", "bert"))
    with pytest.raises(ValueError, match="type 'bert', which is not one of sentences"):
        TextSpace.from_pretrained(tmp_path)


def test_a_tokenizer_that_is_too_large_for_its_model_is_refused(space, processor, new_model, tmp_path):
    from textae.data.processor import SentenceProcessor
    from textae.data.tokenizer import train_tokenizer

    space.save_pretrained(tmp_path)
    other = train_tokenizer([" ".join(f"w{i}" for i in range(50))], kind="word", vocab_size=60, min_frequency=1)
    SentenceProcessor(other).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="the tokenizer has 55 entries, the model only"):
        TextSpace.from_pretrained(tmp_path)


def test_saving_never_deletes_what_is_not_a_model(space, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match="holds other files"):
        space.save_pretrained(tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"
    space.save_pretrained(tmp_path / "model")
    (tmp_path / "model" / "README.md").write_text("a card")
    space.save_pretrained(tmp_path / "model")
    assert (tmp_path / "model" / "README.md").read_text() == "a card"


def test_evaluate_is_conditioned_as_score_is(attribute_processor, new_model, mixed):
    space = TextSpace(new_model(attribute_processor, scale=3.0), attribute_processor, name="moody")
    rows = [{"mood": ("good", "bad", "flat")[i % 3]} for i in range(len(mixed))]
    found = space.evaluate(mixed, samples=2, attributes=rows)
    wanted = space.score(mixed, samples=2, attributes=rows)
    assert found["nll"] == pytest.approx(sum(s.nll for s in wanted) / len(mixed), rel=1e-6)
    assert found["reconstruction_at_mean"] != pytest.approx(space.evaluate(mixed, samples=2)["reconstruction_at_mean"], rel=1e-6)
    each = [space.decode(space.encode(s), attributes=row) for s, row in zip(mixed, rows, strict=True)]
    assert space.rebuild(mixed, rows) == each
