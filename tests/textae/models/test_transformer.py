"""The Transformer VAE, beyond what `test_contract` asks of every model: what is never read, prompts, caches, modes of the library.

Shapes: B sentences, T tokens, D latent dimensions.
"""

from functools import partial

import pytest
import torch
from huggingface_hub.errors import StrictDataclassError
from torch.testing import assert_close

from textae.core.autoencoder import make_config
from textae.models.transformer import TransformerVAE, TransformerVAEConfig
from textae.models.transformer_layers import POOLINGS

from .conftest import BOS, EOS, MASK, PAD, TRANSFORMER_DECODERS, codes, make_transformer, name_of, trimmed

all_decoders = pytest.mark.parametrize("variant", TRANSFORMER_DECODERS, ids=name_of)


# --- the likelihood -----------------------------------------------------------------------------------------------


@torch.no_grad()
def test_what_stands_at_padding_is_never_read(processor, batch):
    """Whatever ids lie there, posterior and cost are the same to the last bit."""
    for pooling in POOLINGS:
        model = make_transformer(processor, scale=2.0, pooling=pooling)
        junk = dict(batch)
        for name in ("input_ids", "decoder_input_ids"):
            junk[name] = torch.where(batch["attention_mask"].bool(), batch[name], 7)
        assert torch.equal(model.encode(**junk).mean, model.encode(**batch).mean)
        assert torch.equal(model.nll(codes(), **junk)[0], model.nll(codes(), **batch)[0])


@all_decoders
@torch.no_grad()
def test_the_decoder_never_looks_ahead(variant, processor, batch):
    """Changing a token changes the logits from there on and no earlier ones."""
    model = make_transformer(processor, scale=2.0, **variant)
    ids, z = batch["decoder_input_ids"].clone(), codes()
    before = model.decoder(ids, z).logits
    ids[:, 4] = (ids[:, 4] + 3) % 20
    after = model.decoder(ids, z).logits
    assert torch.equal(after[:, :4], before[:, :4])
    assert ((after[:, 4:6] - before[:, 4:6]).abs().amax(-1) > 1e-4).all()


def test_point_and_categorical_codes(processor, batch):
    output = make_transformer(processor, posterior="point")(**batch)
    assert output.z is output.posterior.mean
    mixed = make_transformer(processor, posterior="point", categories=3, prior="categorical")(**batch)
    assert_close(mixed.z[:, :3].sum(1), torch.ones(6))


@pytest.mark.parametrize(
    "variant", [{}, {"positions": "learned", "pooling": "first"}, {"pooling": "mean"}], ids=name_of
)
def test_bfloat16_is_close(variant, processor, batch):
    model = make_transformer(processor, scale=1.5, **variant)
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
        model = make_transformer(processor, scale=1.5).train()
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
    model = make_transformer(processor, positions="learned", num_positions=5)
    long = {"min_new_tokens": 9, "max_new_tokens": 9}
    for act in (model.encode, partial(model.nll, codes()), lambda **_: model.generate(codes(), **long)):
        with pytest.raises(ValueError, match=r"learned 5 positions \(num_positions\)"):
            act(**batch)
    assert make_transformer(processor, num_positions=5).generate(codes(1), **long).shape == (1, 10)  # rotary ones go on


def test_a_fresh_model_begins_near_a_uniform_guess(processor, batch):
    """Whatever it costs more than ln V a token is what its first steps are spent on."""
    model = make_transformer(processor, hidden_dim=64, embedding_std=TransformerVAEConfig.embedding_std)
    nll, count = model.nll(torch.randn(6, 4), **batch)
    assert (nll / count).mean() < torch.log(torch.tensor(float(len(processor.tokenizer)))) + 0.5


# --- decoding -----------------------------------------------------------------------------------------------------


PROMPTS = [[BOS, 9, 12], [BOS], [BOS, 7, 7, 15, 20], [BOS, 11]]


@all_decoders
@pytest.mark.parametrize("options", [{}, {"num_beams": 3}, {"num_beams": 2, "use_cache": False}], ids=str)
def test_prompts_padded_on_the_left_continue_as_alone(variant, options, processor):
    model = make_transformer(processor, seed=3, scale=2.5, **variant)
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
    model = make_transformer(processor, scale=2.0, **variant)
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
    model = make_transformer(processor, scale=2.0, **variant)
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
    model = make_transformer(processor, scale=2.0)
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

    model, z = make_transformer(processor, seed=5, scale=2.5, **variant), codes(5).requires_grad_()
    soft = soft_generate(model.decoder, z, max_tokens=7, hard=True, noise=False)
    greedy = model.generate(z.detach(), max_new_tokens=7)[:, 1:]
    assert trimmed(soft.ids) == trimmed(greedy)
    (soft.probabilities[:, -1] * torch.randn(len(processor.tokenizer))).sum().backward()
    assert (z.grad.abs().sum(1) > 0).any() and z.grad.isfinite().all()


def test_generation_modes_of_the_library_agree(processor):
    """Prompt lookup rolls the cache back, and chunked prompts fill it in pieces; both decode greedily."""
    model = make_transformer(processor, seed=6, scale=2.5)
    prompt = torch.tensor([[BOS, 9, 12, 9, 12, 9]])
    plain = model.generate(codes(1), input_ids=prompt, max_new_tokens=12)
    assert torch.equal(model.generate(codes(1), input_ids=prompt, max_new_tokens=12, prompt_lookup_num_tokens=3), plain)
    assert torch.equal(model.generate(codes(1), input_ids=prompt, max_new_tokens=12, prefill_chunk_size=2), plain)


def test_a_cache_of_fixed_length_is_refused(processor):
    with pytest.raises(ValueError, match="takes a cache that grows"):
        make_transformer(processor).generate(codes(2), cache_implementation="static", max_new_tokens=4)


def test_marks_are_never_generated_and_rows_end_with_padding(processor):
    model = make_transformer(processor, scale=2.0)
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
    model = make_transformer(processor)

    def draw(seed):
        torch.manual_seed(seed)
        return model.generate(codes(1).expand(4000, -1), do_sample=True, max_new_tokens=1, top_k=0)[:, 1]

    with torch.no_grad():
        logits = model.decoder(torch.tensor([[BOS]]), codes(1)).logits[0, -1]
    logits[[PAD, BOS, MASK]] = -torch.inf
    assert (torch.bincount(draw(0), minlength=len(logits)) / 4000 - logits.softmax(-1)).abs().max() < 0.03
    assert torch.equal(draw(0), draw(0)) and not torch.equal(draw(0), draw(1))


# --- save and load ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["decoder.output_bias", "decoder.layers.1.attention.memory.weight", "encoder.pooling.token"]
)
def test_a_missing_weight_is_named(name, processor, tmp_path):
    from safetensors.torch import load_file, save_file

    make_transformer(processor, pooling="first").save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights[name]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=f"lack {name}"):
        TransformerVAE.from_pretrained(tmp_path)


def test_auto_classes_and_spaces_know_the_model(processor, sentences, tmp_path):
    from transformers import AutoConfig, AutoModel

    from textae.space import LatentSpace

    model = make_transformer(processor)
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
    model = make_transformer(processor, scale=2.0)
    here, told = model.nll(codes(), **batch)[0], model.generate(codes(), max_new_tokens=7)
    model.cuda()
    there = model.nll(codes().cuda(), **{n: t.cuda() for n, t in batch.items()})[0]
    assert_close(there.cpu(), here, atol=1e-3, rtol=1e-3)
    assert trimmed(model.generate(codes().cuda(), max_new_tokens=7).cpu()) == trimmed(told)
