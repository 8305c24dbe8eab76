"""The Transformer VAE: padding, company and order never matter; words, codes and attributes always do; decoding is exact.

Shapes: B sentences, T tokens, D latent dimensions.
"""

from functools import partial
from itertools import product

import pytest
import torch
from huggingface_hub.errors import StrictDataclassError
from torch.testing import assert_close

from textae.core.autoencoder import make_config
from textae.models.conditioning import attribute_weights
from textae.models.transformer import TransformerVAE, TransformerVAEConfig
from textae.models.transformer_layers import POOLINGS

PAD, BOS, EOS, UNK, MASK = range(5)
WAYS = ((True, True), (True, False), (False, True))
VARIANTS = [
    dict(
        positions=positions,
        pooling=pooling,
        latent_to_memory=memory,
        latent_to_embedding=add,
        tie_embeddings=pooling != "mean",
    )
    for positions, pooling, (memory, add) in product(("rotary", "learned"), POOLINGS, WAYS)
]
VARIANTS.append(dict(latent_to_layers=True))
DECODERS = [
    dict(positions=positions, latent_to_memory=memory, latent_to_embedding=add)
    for positions, (memory, add) in product(("rotary", "learned"), WAYS)
]
DECODERS.append(dict(latent_to_layers=True))


def name_of(variant):
    return "-".join(v if isinstance(v, str) else k for k, v in variant.items() if v is not False)


all_variants = pytest.mark.parametrize("variant", VARIANTS, ids=name_of)
all_decoders = pytest.mark.parametrize("variant", DECODERS, ids=name_of)


def make_model(processor, seed=0, scale=1.0, **changes):
    """A tiny model in eval mode; `scale` multiplies its weights, so that a random model has strong opinions."""
    torch.manual_seed(seed)
    tiny = dict(latent_dim=4, hidden_dim=16, num_heads=2, feedforward_dim=20, num_memory_slots=3, num_positions=40)
    tiny |= dict(
        embedding_std=0.3, attribute_dim=3, vocab_size=len(processor.tokenizer), attributes=processor.attributes
    )
    model = TransformerVAE(TransformerVAEConfig(**{**tiny, **changes})).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(scale)
    return model


@pytest.fixture(scope="module")
def batch(processor, sentences):
    """Six sentences of different lengths, neither sorted nor all as long as the longest."""
    chosen = [sentences[i] for i in (4, 2, 8, 30, 1, 5)]
    batch = processor(chosen)
    assert len(set(batch["attention_mask"].sum(1).tolist())) >= 3
    return batch


def widen(batch, columns):
    """The batch with more padding."""
    fill = {"labels": -100}
    return {n: torch.nn.functional.pad(t, (0, columns), value=fill.get(n, PAD)) for n, t in batch.items()}


def codes(num=6, seed=0):
    return 2 * torch.randn(num, 4, generator=torch.Generator().manual_seed(seed))


def trimmed(ids):
    """Rows up to their first <eos>."""
    rows = ids.tolist()
    return [row[: row.index(EOS) + 1] if EOS in row else row for row in rows]


# --- the likelihood -----------------------------------------------------------------------------------------------


@all_variants
@torch.no_grad()
def test_padding_and_company_change_nothing(variant, processor, batch):
    model = make_model(processor, scale=2.0, **variant)
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


@torch.no_grad()
def test_what_stands_at_padding_is_never_read(processor, batch):
    """Whatever ids lie there, posterior and cost are the same to the last bit."""
    for pooling in POOLINGS:
        model = make_model(processor, scale=2.0, pooling=pooling)
        junk = dict(batch)
        for name in ("input_ids", "decoder_input_ids"):
            junk[name] = torch.where(batch["attention_mask"].bool(), batch[name], 7)
        assert torch.equal(model.encode(**junk).mean, model.encode(**batch).mean)
        assert torch.equal(model.nll(codes(), **junk)[0], model.nll(codes(), **batch)[0])


@all_decoders
@torch.no_grad()
def test_the_decoder_never_looks_ahead(variant, processor, batch):
    """Changing a token changes the logits from there on and no earlier ones."""
    model = make_model(processor, scale=2.0, **variant)
    ids, z = batch["decoder_input_ids"].clone(), codes()
    before = model.decoder(ids, z).logits
    ids[:, 4] = (ids[:, 4] + 3) % 20
    after = model.decoder(ids, z).logits
    assert torch.equal(after[:, :4], before[:, :4])
    assert ((after[:, 4:6] - before[:, 4:6]).abs().amax(-1) > 1e-4).all()


@all_decoders
@torch.no_grad()
def test_nll_sums_the_costs_of_forward_step_by_step(variant, processor, batch):
    """The batch's likelihood against one token at a time, one sentence at a time, through what `generate` calls."""
    model = make_model(processor, seed=1, scale=2.0, **variant)
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
def test_words_their_order_and_codes_matter(variant, processor):
    model = make_model(processor, seed=2, scale=2.0, **variant)
    z = codes(1)
    a, b, c = (processor([s]) for s in ("the cat sees bread .", "bread sees the cat .", "the cat buys bread ."))
    for other in (b, c):
        assert (model.encode(**a).mean - model.encode(**other).mean).abs().max() > 1e-4
        assert abs(float(model.nll(z, **a)[0] - model.nll(z, **other)[0])) > 1e-4
    assert abs(float(model.nll(z, **a)[0] - model.nll(-z, **a)[0])) > 1e-3


@all_variants
def test_every_parameter_gets_a_gradient(variant, attribute_processor, sentences):
    model = make_model(attribute_processor, **variant).train()
    output = model(**attribute_processor(sentences[:4], [{"mood": "bad", "tense": "past"}, {}] * 2))
    (output.nll.sum() + output.posterior.kl().sum()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all() and parameter.grad.any(), name


@torch.no_grad()
def test_attributes_matter_and_unspecified_is_none_given(attribute_processor):
    for memory, add in WAYS:
        model = make_model(attribute_processor, scale=2.0, latent_to_memory=memory, latent_to_embedding=add)
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
        weights = attribute_weights(rows, attribute_processor.attributes)
        assert_close(model.decoder(torch.full((6, 1), BOS), z.expand(6, -1), attributes=weights).logits[:, 0], logits)
        together = model.generate(z.expand(6, -1), attributes=rows, max_new_tokens=8)
        for i in range(6):
            alone = model.generate(z, attributes=rows[i : i + 1], max_new_tokens=8)
            assert trimmed(alone) == trimmed(together[i : i + 1])


def test_dropout_works_in_training_only(processor, batch):
    model = make_model(processor, dropout=0.5)
    z = codes()
    assert torch.equal(model.nll(z, **batch)[0], model.nll(z, **batch)[0])
    model.train()
    assert not torch.equal(model.nll(z, **batch)[0], model.nll(z, **batch)[0])
    assert not torch.equal(model.encode(**batch).mean, model.encode(**batch).mean)


def test_point_and_categorical_codes(processor, batch):
    output = make_model(processor, posterior="point")(**batch)
    assert output.z is output.posterior.mean
    mixed = make_model(processor, posterior="point", categories=3, prior="categorical")(**batch)
    assert_close(mixed.z[:, :3].sum(1), torch.ones(6))


@pytest.mark.parametrize(
    "variant", [{}, {"positions": "learned", "pooling": "first"}, {"pooling": "mean"}], ids=name_of
)
def test_bfloat16_is_close(variant, processor, batch):
    model = make_model(processor, scale=1.5, **variant)
    high = model(sample=False, **batch)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        low = model(sample=False, **batch)
        generated = model.generate(low.z, max_new_tokens=6)
    assert low.nll.dtype == low.z.dtype == torch.float32
    assert_close(low.nll, high.nll, rtol=0.02, atol=0)
    assert generated.shape == (6, 7)
    half = model.to(torch.bfloat16)(sample=False, **batch)
    assert_close(half.nll, high.nll, rtol=0.05, atol=0)


def test_gradients_under_autocast_are_close(processor, batch):
    def gradient(enabled):
        model = make_model(processor, scale=1.5).train()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            output = model(sample=False, **batch)
        output.nll.sum().backward()
        return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])

    assert torch.cosine_similarity(gradient(True), gradient(False), dim=0) > 0.995


@pytest.mark.parametrize(
    "options, message",
    [({"positions": "sine"}, "'sine'; it must be one of rotary, learned"), ({"latent_to_memory": False, "latent_to_embedding": False}, "never sees z"),
     ({"pooling": "men"}, "did you mean 'mean'"), ({"dropout": 1.0}, "below 1"), ({"hidden_dim": 30}, "multiple of num_heads .4."),
     ({"hidden_dim": 12}, "hidden_dim / num_heads is 3; make it even"), ({"num_memory_slots": 0}, "num_memory_slots is 0; it must be at least 1"),
     ({"embedding_std": 0}, "above 0"), ({"num_heads": 0}, "num_heads"), ({"prior": "flaw"}, "no prior 'flaw': did you mean 'flow'")],
)  # fmt: skip
def test_impossible_configs_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make_config(TransformerVAEConfig, {"vocab_size": 20, **options})
    with pytest.raises(StrictDataclassError):
        TransformerVAEConfig(vocab_size=20, **options)


def test_unknown_keys_and_types_are_refused():
    with pytest.raises(ValueError, match="did you mean 'num_heads'"):
        make_config(TransformerVAEConfig, {"num_head": 4})
    with pytest.raises(ValueError, match="hidden_dim"):
        make_config(TransformerVAEConfig, {"hidden_dim": "64"})
    make_config(
        TransformerVAEConfig, {"hidden_dim": 12, "positions": "learned"}
    )  # odd heads trouble the rotation alone


def test_sentences_beyond_the_learned_positions_are_refused(processor, batch):
    model = make_model(processor, positions="learned", num_positions=5)
    long = {"min_new_tokens": 9, "max_new_tokens": 9}
    for act in (model.encode, partial(model.nll, codes()), lambda **_: model.generate(codes(), **long)):
        with pytest.raises(ValueError, match=r"learned 5 positions \(num_positions\)"):
            act(**batch)
    assert make_model(processor, num_positions=5).generate(codes(1), **long).shape == (1, 10)  # rotary ones go on


def test_a_fresh_model_begins_near_a_uniform_guess(processor, batch):
    """Whatever it costs more than ln V a token is what its first steps are spent on."""
    model = make_model(processor, hidden_dim=64, embedding_std=TransformerVAEConfig.embedding_std)
    nll, count = model.nll(torch.randn(6, 4), **batch)
    assert (nll / count).mean() < torch.log(torch.tensor(float(len(processor.tokenizer)))) + 0.5


# --- decoding -----------------------------------------------------------------------------------------------------


@all_decoders
def test_cached_decoding_equals_uncached(variant, processor):
    model = make_model(processor, seed=4, scale=2.5, **variant)
    for options in ({}, {"num_beams": 3}):
        options = {"max_new_tokens": 7, **options}
        cached, uncached = (model.generate(codes(), use_cache=flag, **options) for flag in (True, False))
        assert torch.equal(cached, uncached)


@all_decoders
def test_batched_decoding_equals_one_at_a_time_in_order(variant, processor):
    model = make_model(processor, seed=5, scale=2.5, **variant)
    z = codes(5)
    for options in ({}, {"num_beams": 4}, {"num_beams": 3, "num_return_sequences": 2, "length_penalty": 0.5}):
        options = {"max_new_tokens": 7, **options}
        together = trimmed(model.generate(z, **options))
        alone = [row for i in range(5) for row in trimmed(model.generate(z[i : i + 1], **options))]
        assert together == alone
    assert len({tuple(r) for r in trimmed(model.generate(z, max_new_tokens=7))}) > 1  # codes decide what is said


PROMPTS = [[BOS, 9, 12], [BOS], [BOS, 7, 7, 15, 20], [BOS, 11]]


@all_decoders
@pytest.mark.parametrize("options", [{}, {"num_beams": 3}, {"num_beams": 2, "use_cache": False}], ids=str)
def test_prompts_padded_on_the_left_continue_as_alone(variant, options, processor):
    model = make_model(processor, seed=3, scale=2.5, **variant)
    z, width = codes(4), max(map(len, PROMPTS))
    ids = torch.tensor([[PAD] * (width - len(p)) + p for p in PROMPTS])
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in PROMPTS])
    together = model.generate(z, input_ids=ids, attention_mask=mask, max_new_tokens=6, **options)
    guessed = model.generate(z, input_ids=ids, max_new_tokens=6, **options)  # the library sees <pad> and makes the mask
    assert torch.equal(together, guessed)
    for i, prompt in enumerate(PROMPTS):
        alone = model.generate(z[i : i + 1], input_ids=torch.tensor([prompt]), max_new_tokens=6, **options)
        assert trimmed(alone[:, len(prompt) :]) == trimmed(together[i : i + 1, width:])


@all_decoders
@torch.no_grad()
def test_left_padding_leaves_the_logits(variant, processor, batch):
    model = make_model(processor, scale=2.0, **variant)
    ids, z = batch["decoder_input_ids"][:1, :5], codes(1)
    plain = model.decoder(ids, z).logits
    for pad in (1, 4):
        wide = torch.nn.functional.pad(ids, (pad, 0), value=7)
        mask = torch.nn.functional.pad(torch.ones_like(ids), (pad, 0))
        assert_close(model.decoder(wide, z, attention_mask=mask).logits[:, pad:], plain)
    assert_close(model.decoder(ids, z, attention_mask=torch.ones_like(ids)).logits, plain)
    with pytest.raises(ValueError, match=r"attention_mask has shape \(1, 4\); 0 cached and 5 new"):
        model.decoder(ids, z, attention_mask=torch.ones(1, 4))


@all_decoders
@pytest.mark.parametrize("pad", [0, 2])
@torch.no_grad()
def test_a_cache_is_read_in_pieces_of_any_length(variant, pad, processor, batch):
    """What speculative decoding and chunked prompts rely on."""
    model = make_model(processor, scale=2.0, **variant)
    ids, z = torch.nn.functional.pad(batch["decoder_input_ids"], (pad, 0)), codes()
    mask = torch.nn.functional.pad(torch.ones_like(ids[:, pad:]), (pad, 0))
    whole = model.decoder(ids, z, attention_mask=mask if pad else None).logits
    cache, parts, seen = None, [], 0
    for length in (3, 1, ids.shape[1] - 4):
        read = mask[:, : seen + length] if pad else None
        output = model.decoder(ids[:, seen : seen + length], z, None, read, past_key_values=cache, use_cache=True)
        cache, seen = output.past_key_values, seen + length
        parts.append(output.logits)
    assert cache.get_seq_length() == ids.shape[1]  # slots are not counted as tokens
    assert_close(torch.cat(parts, 1)[:, pad:], whole[:, pad:])
    assert_close(model.decoder(ids, z, logits_to_keep=2, attention_mask=mask).logits, whole[:, -2:])


@torch.no_grad()
def test_embedded_tokens_are_read_like_ids(processor, batch):
    model = make_model(processor, scale=2.0)
    ids, z = batch["decoder_input_ids"], codes()
    embedded = model.decoder.embed(ids)
    assert torch.equal(model.decoder(None, z, inputs_embeds=embedded).logits, model.decoder(ids, z).logits)
    again = model.encode(inputs_embeds=model.decoder.embed(batch["input_ids"]), attention_mask=batch["attention_mask"])
    assert torch.equal(again.mean, model.encode(**batch).mean)
    with pytest.raises(ValueError, match="either input_ids or inputs_embeds"):
        model.encode()
    continued = model.generate(z, input_ids=ids[:, :3], max_new_tokens=5)[:, 3:]
    assert torch.equal(model.generate(z, inputs_embeds=embedded[:, :3], max_new_tokens=5), continued)


@all_decoders
def test_soft_generation_is_greedy_where_it_is_hard(variant, processor):
    from textae.models.soft_generation import soft_generate

    model, z = make_model(processor, seed=5, scale=2.5, **variant), codes(5).requires_grad_()
    soft = soft_generate(model.decoder, z, max_tokens=7, hard=True, noise=False)
    greedy = model.generate(z.detach(), max_new_tokens=7)[:, 1:]
    assert trimmed(soft.ids) == trimmed(greedy)
    (soft.probabilities[:, -1] * torch.randn(len(processor.tokenizer))).sum().backward()
    assert (z.grad.abs().sum(1) > 0).any() and z.grad.isfinite().all()


def test_generation_modes_of_the_library_agree(processor):
    """Prompt lookup rolls the cache back, and chunked prompts fill it in pieces; both decode greedily."""
    model = make_model(processor, seed=6, scale=2.5)
    prompt = torch.tensor([[BOS, 9, 12, 9, 12, 9]])
    plain = model.generate(codes(1), input_ids=prompt, max_new_tokens=12)
    assert torch.equal(model.generate(codes(1), input_ids=prompt, max_new_tokens=12, prompt_lookup_num_tokens=3), plain)
    assert torch.equal(model.generate(codes(1), input_ids=prompt, max_new_tokens=12, prefill_chunk_size=2), plain)


def test_a_cache_of_fixed_length_is_refused(processor):
    with pytest.raises(ValueError, match="takes a cache that grows"):
        make_model(processor).generate(codes(2), cache_implementation="static", max_new_tokens=4)


def test_greedy_takes_the_best_token_each_time(processor):
    model = make_model(processor, seed=6, scale=2.5)
    z = codes(4)
    generated = model.generate(z, max_new_tokens=6)
    assert (generated[:, 0] == BOS).all()
    for row, code in zip(trimmed(generated), z, strict=True):
        with torch.no_grad():
            logits = model.decoder(torch.tensor([row[:-1]]), code[None]).logits[0]
        logits[:, [PAD, BOS, MASK]] = -torch.inf
        assert logits.argmax(-1).tolist() == row[1:]


def test_marks_are_never_generated_and_rows_end_with_padding(processor):
    model = make_model(processor, scale=2.0)
    with torch.no_grad():
        model.decoder.output_bias[[PAD, BOS, MASK]] += 50.0
        model.decoder.output_bias[EOS] += 1.0
    for options in ({}, {"do_sample": True}, {"num_beams": 3}, {"do_sample": True, "num_beams": 2}):
        torch.manual_seed(0)
        generated = model.generate(codes(20), max_new_tokens=10, **options)
        for row in trimmed(generated):
            assert row[0] == BOS and not {PAD, BOS, MASK} & set(row[1:])
        fill = {EOS} if "num_beams" in options else {PAD}  # the library's beam search takes a <pad> of 0 for none
        assert all(set(row[row.index(EOS) + 1 :]) <= fill for row in generated.tolist() if EOS in row)


def test_sampling_follows_the_probabilities_and_the_seed(processor):
    model = make_model(processor)

    def draw(seed):
        torch.manual_seed(seed)
        return model.generate(codes(1).expand(4000, -1), do_sample=True, max_new_tokens=1, top_k=0)[:, 1]

    with torch.no_grad():
        logits = model.decoder(torch.tensor([[BOS]]), codes(1)).logits[0, -1]
    logits[[PAD, BOS, MASK]] = -torch.inf
    assert (torch.bincount(draw(0), minlength=len(logits)) / 4000 - logits.softmax(-1)).abs().max() < 0.03
    assert torch.equal(draw(0), draw(0)) and not torch.equal(draw(0), draw(1))


@pytest.mark.parametrize("option", [{"max_new_token": 3}, {"num_beam": 2}, {"latent": torch.zeros(1, 4)}])
def test_a_mistyped_option_raises(option, processor):
    with pytest.raises(ValueError, match=next(iter(option))):
        make_model(processor).generate(codes(1), **option)


# --- save and load ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", VARIANTS[::5], ids=name_of)
def test_saved_models_load_bit_for_bit(variant, processor, batch, tmp_path):
    model = make_model(processor, **variant)
    model.save_pretrained(tmp_path)
    again = TransformerVAE.from_pretrained(tmp_path)
    assert again.state_dict().keys() == model.state_dict().keys() and not again.training
    for name, tensor in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor), name
    z = codes()
    assert torch.equal(again.nll(z, **batch)[0], model.nll(z, **batch)[0])
    assert torch.equal(again.generate(z, max_new_tokens=5), model.generate(z, max_new_tokens=5))


@pytest.mark.parametrize(
    "name", ["decoder.output_bias", "decoder.layers.1.attention.memory.weight", "encoder.pooling.token"]
)
def test_a_missing_weight_is_named(name, processor, tmp_path):
    from safetensors.torch import load_file, save_file

    make_model(processor, pooling="first").save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights[name]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=f"lack {name}"):
        TransformerVAE.from_pretrained(tmp_path)


def test_auto_classes_and_spaces_know_the_model(processor, sentences, tmp_path):
    from transformers import AutoConfig, AutoModel

    from textae.space import LatentSpace

    model = make_model(processor)
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    loaded = AutoConfig.from_pretrained(tmp_path).to_dict()
    assert loaded == {**model.config.to_dict(), "_name_or_path": loaded["_name_or_path"]}
    again = AutoModel.from_pretrained(tmp_path)
    assert isinstance(again, TransformerVAE)
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), again.state_dict().values(), strict=True))
    space = LatentSpace.from_pretrained(tmp_path)
    z = space.encode(sentences)
    for i in (0, 7, 20):
        assert_close(z[i], space.encode(sentences[i]))
    assert space.decode(z, max_new_tokens=5)[7] == space.decode(z[7], max_new_tokens=5)


@pytest.mark.gpu
def test_a_gpu_computes_and_decodes_the_same(processor, batch):
    """There attention is torch's fused kernel."""
    model = make_model(processor, scale=2.0)
    here, told = model.nll(codes(), **batch)[0], model.generate(codes(), max_new_tokens=7)
    model.cuda()
    there = model.nll(codes().cuda(), **{n: t.cuda() for n, t in batch.items()})[0]
    assert_close(there.cpu(), here, atol=1e-3, rtol=1e-3)
    assert trimmed(model.generate(codes().cuda(), max_new_tokens=7).cpu()) == trimmed(told)
