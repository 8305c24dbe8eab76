"""The recurrent VAE: padding, company and order never matter; words, codes and attributes always do; decoding is exact.

Shapes: B sentences, T tokens, D latent dimensions.
"""

from itertools import product

import pytest
import torch
from huggingface_hub.errors import StrictDataclassError
from torch.testing import assert_close

from textae.core.autoencoder import make_config
from textae.models.rnn import CELLS, RNNVAE, RNNVAEConfig

PAD, BOS, EOS, UNK, MASK = range(5)
VARIANTS = [
    dict(cell=cell, num_layers=layers, bidirectional=both, latent_to_state=state, latent_to_input=give, tie_embeddings=tie)
    for cell, layers, both, (state, give), tie in product(
        CELLS, (1, 2), (True, False), ((True, True), (True, False), (False, True)), (True, False)
    )
]
SKIPS = dict(num_layers=2, latent_to_layers=True)
VARIANTS.append(dict(cell="lstm", **SKIPS))
DECODERS = [
    dict(cell=cell, num_layers=layers, latent_to_state=state, latent_to_input=give)
    for cell, layers, (state, give) in product(CELLS, (1, 2), ((True, True), (True, False), (False, True)))
]
DECODERS.append(dict(cell="gru", **SKIPS))


def name_of(variant):
    return "-".join(str(v) if not isinstance(v, bool) else k[:9] for k, v in variant.items() if v is not False)


all_variants = pytest.mark.parametrize("variant", VARIANTS, ids=name_of)
all_decoders = pytest.mark.parametrize("variant", DECODERS, ids=name_of)


def widen(batch, columns):
    """The batch with more padding."""
    fill = {"labels": -100}
    return {n: torch.nn.functional.pad(t, (0, columns), value=fill.get(n, PAD)) for n, t in batch.items()}


@pytest.fixture(scope="module")
def batch(processor, sentences):
    """Six sentences of different lengths, neither sorted nor all as long as the longest."""
    chosen = [sentences[i] for i in (4, 2, 8, 30, 1, 5)]
    batch = processor(chosen)
    assert len(set(batch["attention_mask"].sum(1).tolist())) >= 3
    return batch


def codes(num=6, seed=0):
    return 2 * torch.randn(num, 4, generator=torch.Generator().manual_seed(seed))


def trimmed(ids):
    """Rows up to their first <eos>."""
    rows = ids.tolist()
    return [row[: row.index(EOS) + 1] if EOS in row else row for row in rows]


# --- the likelihood -----------------------------------------------------------------------------------------------


@all_variants
@torch.no_grad()
def test_padding_and_company_change_nothing(variant, processor, new_model, batch):
    model = new_model(processor, scale=2.0, **variant)
    z = codes()
    nll, count = model.nll(z, **batch)
    q = model.encode(**batch)
    wide = widen(batch, 5)
    assert_close(model.nll(z, **wide)[0], nll)
    assert_close(model.encode(**wide).mean, q.mean)
    assert_close(model.encode(**wide).logvar, q.logvar)
    for i in range(6):
        length = int(batch["attention_mask"][i].sum())
        alone = {n: t[i : i + 1, :length] for n, t in batch.items()}
        assert_close(model.nll(z[i : i + 1], **alone)[0][0], nll[i])
        assert_close(model.encode(**alone).mean[0], q.mean[i])
        assert count[i] == length
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    shuffled = {n: t[order] for n, t in batch.items()}
    assert_close(model.nll(z[order], **shuffled)[0], nll[order])
    assert_close(model.encode(**shuffled).mean, q.mean[order])


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 2, 3])
@torch.no_grad()
def test_encoder_equals_pytorchs_packed_one(cell, layers, processor, new_model, batch):
    """The states gathered by index are those that packed sequences give, in both directions and all layers."""
    model = new_model(processor, cell=cell, num_layers=layers, scale=2.0)
    reference = CELLS[cell](12, 10, layers, batch_first=True, bidirectional=True)
    for layer, directions in enumerate(model.encoder.layers):
        for direction, end in zip(directions, ("", "_reverse"), strict=True):
            for name, weight in direction.named_parameters():
                getattr(reference, name.replace("l0", f"l{layer}") + end).copy_(weight)
    embedded, lengths = model.decoder.embed(batch["input_ids"]), batch["attention_mask"].sum(1)
    packed = torch.nn.utils.rnn.pack_padded_sequence(embedded, lengths, batch_first=True, enforce_sorted=False)
    final = reference(packed)[1]
    final = final[0] if cell == "lstm" else final
    assert_close(model.encoder(embedded, batch["attention_mask"]), torch.cat([final[-2], final[-1]], 1))


@all_variants
@torch.no_grad()
def test_nll_sums_the_costs_of_forward_step_by_step(variant, processor, new_model, batch):
    """The batch's likelihood against one token at a time, one sentence at a time, through what `generate` calls."""
    model = new_model(processor, seed=1, scale=2.0, **variant)
    z = codes()
    nll = model.nll(z, **batch)[0]
    for i in (0, 3):
        tokens, total, cache = batch["labels"][i][batch["labels"][i] != -100].tolist(), 0.0, None
        previous = BOS
        for token in tokens:
            output = model.decoder(torch.tensor([[previous]]), z[i : i + 1], past_key_values=cache, use_cache=True)
            cache, previous = output.past_key_values, token
            total -= output.logits[0, -1].log_softmax(-1)[token]
        assert cache.get_seq_length() == len(tokens)
        assert_close(nll[i], total)
    assert nll.dtype == torch.float32 and len(set(nll.tolist())) == 6


@all_variants
@torch.no_grad()
def test_words_their_order_and_codes_matter(variant, processor, new_model):
    model = new_model(processor, seed=2, scale=2.0, **variant)
    z = codes(1)
    a, b, c = (processor([s]) for s in ("the cat sees bread .", "bread sees the cat .", "the cat buys bread ."))
    for other in (b, c):
        assert (model.encode(**a).mean - model.encode(**other).mean).abs().max() > 1e-4
        assert abs(float(model.nll(z, **a)[0] - model.nll(z, **other)[0])) > 1e-4
    first, last = processor(["today bread bread bread bread"]), processor(["she bread bread bread bread"])
    assert (model.encode(**first).mean - model.encode(**last).mean).abs().max() > 1e-6  # the first word is not forgotten
    assert abs(float(model.nll(z, **a)[0] - model.nll(-z, **a)[0])) > 1e-3


@all_variants
def test_every_parameter_gets_a_gradient(variant, attribute_processor, new_model, sentences):
    model = new_model(attribute_processor, **variant).train()
    output = model(**attribute_processor(sentences[:4], [{"mood": "bad", "tense": "past"}, {}] * 2))
    (output.nll.sum() + output.posterior.kl().sum()).backward()
    silent = [n for n, p in model.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.isfinite().all())]
    assert silent == []


@torch.no_grad()
def test_attributes_matter_and_unspecified_is_none_given(attribute_processor, new_model):
    model = new_model(attribute_processor, scale=2.0)
    sentence, z = ["the cat sees bread ."], codes(1)
    none = model.nll(z, **attribute_processor(sentence))[0]
    unspecified = model.nll(z, **attribute_processor(sentence, [{}]))[0]
    assert torch.equal(none, unspecified)
    values = [{"mood": m, "tense": t} for m in ("good", "bad", "flat") for t in ("past", "present")]
    costs = [float(model.nll(z, **attribute_processor(sentence, [v]))[0]) for v in [{}, *values]]
    assert len({round(c, 5) for c in costs}) == 7
    rows = torch.from_numpy(attribute_processor.attribute_ids(values))
    logits = model.decoder(torch.full((6, 1), BOS), z.expand(6, -1), attributes=rows).logits[:, 0]
    assert torch.pdist(logits).min() > 1e-3
    together = model.generate(z.expand(6, -1), attributes=rows, max_new_tokens=8)
    for i in range(6):
        assert trimmed(model.generate(z, attributes=rows[i : i + 1], max_new_tokens=8)) == trimmed(together[i : i + 1])


@torch.no_grad()
def test_two_layers_do_not_mix_sentences(processor, new_model):
    """A famous view of (layers, B, H) states as (B, layers · H) gives sentence i the states of its neighbours."""
    for cell in CELLS:
        model = new_model(processor, num_layers=3, cell=cell, scale=2.0)
        context = torch.randn(5, 4)
        states = model.decoder.first_states(context)
        assert len(states) == 3
        for i in range(5):
            for layer, alone in zip(states, model.decoder.first_states(context[i : i + 1]), strict=True):
                for together, single in zip(layer, alone, strict=True):
                    assert together.shape == (1, 5, 14)
                    assert_close(together[:, i], single[:, 0])
        assert not torch.allclose(states[0][0], states[1][0])


def test_dropout_works_in_training_only(processor, new_model, batch):
    model = new_model(processor, dropout=0.5)
    z = codes()
    assert torch.equal(model.nll(z, **batch)[0], model.nll(z, **batch)[0])
    model.train()
    assert not torch.equal(model.nll(z, **batch)[0], model.nll(z, **batch)[0])
    assert not torch.equal(model.encode(**batch).mean, model.encode(**batch).mean)


def test_dropout_keeps_its_mask_over_a_sentence_and_the_mean():
    from textae.models.tokens import VariationalDropout

    torch.manual_seed(0)
    dropped = VariationalDropout(0.25).train()(torch.ones(200, 5, 30))
    assert (dropped == dropped[:, :1]).all() and dropped.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert dropped.mean() == pytest.approx(1.0, abs=0.02)


def test_a_point_posterior_scores_its_mean(processor, new_model, batch):
    output = new_model(processor, posterior="point")(**batch)
    assert output.z is output.posterior.mean and not hasattr(output.posterior, "logvar")


def test_forward_draws_or_takes_the_mean(processor, new_model, batch):
    model = new_model(processor)
    output = model(sample=False, **batch)
    assert torch.equal(output.z, output.posterior.mean) and not torch.equal(model(**batch).z, output.z)
    assert_close(output.nll, model.nll(output.z, **batch)[0])


def test_bfloat16_autocast_is_close(processor, new_model, batch):
    model = new_model(processor)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        low = model(sample=False, **batch)
    high = model(sample=False, **batch)
    assert low.nll.dtype == low.z.dtype == torch.float32
    assert_close(low.nll, high.nll, rtol=0.02, atol=0)


@pytest.mark.parametrize(
    "options, message", [({"cell": "rnn"}, "'rnn'; it must be one of lstm, gru"), ({"latent_to_state": False, "latent_to_input": False}, "never sees z"),
                         ({"posterior": "gausian"}, "did you mean 'gaussian'"), ({"dropout": 1.0}, "below 1"), ({"prior": "flaw"}, "no prior 'flaw': did you mean 'flow'")],
)  # fmt: skip
def test_impossible_configs_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make_config(RNNVAEConfig, {"vocab_size": 20, **options})
    with pytest.raises(StrictDataclassError):
        RNNVAEConfig(vocab_size=20, **options)


# --- decoding -----------------------------------------------------------------------------------------------------


@all_decoders
def test_cached_decoding_equals_uncached(variant, processor, new_model):
    model = new_model(processor, seed=4, scale=2.5, **variant)
    for options in ({}, {"num_beams": 3}):
        options = {"max_new_tokens": 7, **options}
        assert torch.equal(model.generate(codes(), use_cache=True, **options), model.generate(codes(), use_cache=False, **options))


@all_decoders
def test_batched_decoding_equals_one_at_a_time_in_order(variant, processor, new_model):
    model = new_model(processor, seed=5, scale=2.5, **variant)
    z = codes(5)
    for options in ({}, {"num_beams": 4}, {"num_beams": 3, "num_return_sequences": 2, "length_penalty": 0.5}):
        options = {"max_new_tokens": 7, **options}
        together = trimmed(model.generate(z, **options))
        alone = [row for i in range(5) for row in trimmed(model.generate(z[i : i + 1], **options))]
        assert together == alone
    assert len({tuple(r) for r in trimmed(model.generate(z, max_new_tokens=7))}) > 1  # codes decide what is said


def test_greedy_takes_the_best_token_each_time(processor, new_model):
    model = new_model(processor, seed=6, scale=2.5)
    z = codes(4)
    generated = model.generate(z, max_new_tokens=6)
    assert (generated[:, 0] == BOS).all()
    for row, code in zip(trimmed(generated), z, strict=True):
        with torch.no_grad():
            logits = model.decoder(torch.tensor([row[:-1]]), code[None]).logits[0]
        logits[:, [PAD, BOS, MASK]] = -torch.inf
        assert logits.argmax(-1).tolist() == row[1:]


def test_wide_beams_find_the_best_pair_of_all(processor, new_model):
    """With a beam for every first word nothing is lost, so the answer is that of trying every pair."""
    model = new_model(processor, seed=7, scale=1.5)
    z, size = codes(8), len(processor.tokenizer)
    found = model.generate(z, num_beams=size, max_new_tokens=2, min_new_tokens=2)

    def scores(ids):
        with torch.no_grad():
            logits = model.decoder(ids, z.repeat_interleave(len(ids) // 8, 0)).logits[:, -1]
        logits[:, [PAD, BOS, EOS, MASK]] = -torch.inf
        return logits.log_softmax(-1)

    first = scores(torch.full((8, 1), BOS))
    every = torch.stack([torch.full((size,), BOS), torch.arange(size)], 1).repeat(8, 1)
    pairs = first[:, :, None] + scores(every).view(8, size, size)
    best = pairs.flatten(1).argmax(1)
    assert found[:, 1:].tolist() == torch.stack([best // size, best % size], 1).tolist()
    assert found.tolist() != model.generate(z, max_new_tokens=2, min_new_tokens=2).tolist()  # the greedy answer


def test_marks_are_never_generated(processor, new_model):
    model = new_model(processor, scale=3.0)
    with torch.no_grad():
        model.decoder.output_bias[[PAD, BOS, MASK]] += 50.0
    for options in ({}, {"do_sample": True}, {"num_beams": 3}, {"do_sample": True, "num_beams": 2}):
        torch.manual_seed(0)
        for row in trimmed(model.generate(codes(20), max_new_tokens=10, **options)):
            assert row[0] == BOS and not {PAD, BOS, MASK} & set(row[1:])


def test_rows_end_with_eos_and_padding(processor, new_model):
    model = new_model(processor)
    with torch.no_grad():
        model.decoder.output_bias[EOS] += 1.0
    torch.manual_seed(1)
    generated = model.generate(codes(40), do_sample=True, max_new_tokens=20)
    ended = [row for row in generated.tolist() if EOS in row]
    assert ended and all(set(row[row.index(EOS) + 1 :]) <= {PAD} for row in ended)
    assert generated.shape[1] <= 21


def test_sampling_repeats_with_the_seed(processor, new_model):
    model = new_model(processor)

    def draw(seed):
        torch.manual_seed(seed)
        return model.generate(codes(), do_sample=True, max_new_tokens=9).tolist()

    assert draw(3) == draw(3) != draw(4)


def test_sampling_follows_the_probabilities(processor, new_model):
    model = new_model(processor)
    torch.manual_seed(0)
    drawn = model.generate(codes(1).expand(4000, -1), do_sample=True, max_new_tokens=1, top_k=0)[:, 1]
    with torch.no_grad():
        logits = model.decoder(torch.tensor([[BOS]]), codes(1)).logits[0, -1]
    logits[[PAD, BOS, MASK]] = -torch.inf
    assert (torch.bincount(drawn, minlength=len(logits)) / 4000 - logits.softmax(-1)).abs().max() < 0.03


@pytest.mark.parametrize("options, allowed", [({"top_k": 3}, lambda p: p.argsort(descending=True)[:3]), ({"top_p": 0.4, "top_k": 0}, None)])
def test_top_k_and_top_p_of_each_row_alone(options, allowed, processor, new_model):
    """A well-known filter masks the union over the batch; here every row keeps to its own set."""
    model = new_model(processor, scale=2.0)
    z = codes(6).repeat_interleave(60, 0)
    torch.manual_seed(0)
    first = model.generate(z, do_sample=True, max_new_tokens=1, **options)[:, 1].view(6, 60)
    with torch.no_grad():
        logits = model.decoder(torch.full((6, 1), BOS), codes(6)).logits[:, -1]
    logits[:, [PAD, BOS, MASK]] = -torch.inf
    sets = []
    for p, drawn in zip(logits.softmax(-1), first, strict=True):
        order = p.argsort(descending=True)
        keep = allowed(p) if allowed else order[: int((p[order].cumsum(0) < options["top_p"]).sum()) + 1]
        assert set(drawn.tolist()) <= set(keep.tolist())
        sets.append(frozenset(keep.tolist()))
    assert len(set(sets)) > 1


def test_num_return_sequences_are_the_codes_in_order(processor, new_model):
    model = new_model(processor, scale=2.0)
    torch.manual_seed(0)
    generated = model.generate(codes(3), do_sample=True, num_return_sequences=4, max_new_tokens=6)
    assert len(generated) == 12
    firsts = model.generate(codes(3), do_sample=True, top_k=1, num_return_sequences=2, max_new_tokens=6)
    assert trimmed(firsts[::2]) == trimmed(firsts[1::2]) == trimmed(model.generate(codes(3), max_new_tokens=6))


def test_prompts_are_continued(processor, new_model):
    model = new_model(processor, seed=5, scale=2.5)
    whole = model.generate(codes(3), max_new_tokens=6, min_new_tokens=6)
    assert torch.equal(model.generate(codes(3), input_ids=whole[:, :4], max_new_tokens=3, min_new_tokens=3), whole)


@pytest.mark.parametrize("option", [{"max_new_token": 3}, {"num_beam": 2}, {"latent": torch.zeros(1, 4)}])
def test_a_mistyped_option_raises(option, processor, new_model):
    with pytest.raises(ValueError, match=next(iter(option))):
        new_model(processor).generate(codes(1), **option)


# --- save and load ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", VARIANTS[::5], ids=name_of)
def test_saved_models_load_bit_for_bit(variant, processor, new_model, batch, tmp_path):
    model = new_model(processor, **variant)
    model.save_pretrained(tmp_path)
    again = RNNVAE.from_pretrained(tmp_path)
    assert again.state_dict().keys() == model.state_dict().keys() and not again.training
    for name, tensor in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor), name
    z = codes()
    assert torch.equal(again.nll(z, **batch)[0], model.nll(z, **batch)[0])
    assert torch.equal(again.generate(z, max_new_tokens=5), model.generate(z, max_new_tokens=5))
    assert not list(tmp_path.glob("*.bin")) and (tmp_path / "model.safetensors").is_file()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_models_saved_in_half_precision_compute_in_float32(dtype, tiny_model, batch, tmp_path):
    import copy

    copy.deepcopy(tiny_model).to(dtype).save_pretrained(tmp_path)
    again = RNNVAE.from_pretrained(tmp_path)
    for name, tensor in tiny_model.state_dict().items():
        loaded = again.state_dict()[name]
        assert loaded.dtype == torch.float32 and torch.equal(loaded, tensor.to(dtype).float()), name
    again(**batch).nll.sum().backward()
    assert next(RNNVAE.from_pretrained(tmp_path, dtype=dtype).parameters()).dtype == dtype


@torch.no_grad()
def test_attributes_mean_the_same_after_loading(attribute_processor, new_model, tmp_path):
    """transformers sorts the keys of config.json: columns in the order of a config would be swapped by a round trip."""
    from textae.data.processor import SentenceProcessor

    model, z = new_model(attribute_processor, scale=2.0), codes(1)
    model.save_pretrained(tmp_path)
    attribute_processor.save_pretrained(tmp_path)
    again, processor = RNNVAE.from_pretrained(tmp_path), SentenceProcessor.from_pretrained(tmp_path)
    assert again.config.attributes == attribute_processor.attributes
    backwards = RNNVAE(RNNVAEConfig(vocab_size=20, attributes={"b": ["x", "y"], "a": ["u", "v", "w"]}))
    assert [e.num_embeddings for e in backwards.decoder.attribute_embed] == [4, 3]  # whatever the order it was given
    for values in ({"tense": "present"}, {"mood": "flat"}, {"tense": "past", "mood": "bad"}):
        before = model.nll(z, **attribute_processor(["the cat"], [values]))[0]
        assert torch.equal(again.nll(z, **processor(["the cat"], [values]))[0], before)


def test_auto_classes_know_the_model(processor, new_model, tmp_path):
    from transformers import AutoConfig, AutoModel

    model = new_model(processor)
    model.save_pretrained(tmp_path)
    assert AutoConfig.from_pretrained(tmp_path).latent_dim == model.config.latent_dim
    again = AutoModel.from_pretrained(tmp_path)
    assert isinstance(again, RNNVAE)
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), again.state_dict().values(), strict=True))
