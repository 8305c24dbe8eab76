"""What the recurrent and the Transformer VAE promise alike: padding, company and order never matter; words, codes and attributes
always do; decoding is exact.

Shapes: B sentences, T tokens, D latent dimensions.
"""

from functools import partial

import pytest
import torch
from torch.testing import assert_close

from textae.models.conditioning import attribute_weights
from textae.models.sentence import SentenceDecoder

from ...conftest import make_model
from .conftest import (
    BOS,
    EOS,
    MASK,
    PAD,
    RNN_DECODERS,
    RNNS,
    TRANSFORMER_DECODERS,
    TRANSFORMERS,
    codes,
    make_transformer,
    name_of,
    trimmed,
    widen,
)  # fmt: skip


def makers(recurrent, transformers):
    """Parametrizes `make`, which builds a tiny model of one variant."""
    return pytest.mark.parametrize(
        "make",
        [pytest.param(partial(make_model, **v), id=f"rnn-{name_of(v)}") for v in recurrent]
        + [pytest.param(partial(make_transformer, **v), id=f"transformer-{name_of(v)}") for v in transformers],
    )


every, every_decoder, each = makers(RNNS, TRANSFORMERS), makers(RNN_DECODERS, TRANSFORMER_DECODERS), makers([{}], [{}])
every_fifth = makers(RNNS[::5], TRANSFORMERS[::5])


@every
@torch.no_grad()
def test_padding_and_company_change_nothing(make, processor, batch):
    model = make(processor, scale=2.0)
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


@every_decoder
@torch.no_grad()
def test_nll_sums_the_costs_of_forward_step_by_step(make, processor, batch):
    """The batch's likelihood against one token at a time, one sentence at a time, through what `generate` calls."""
    model = make(processor, seed=1, scale=2.0)
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


@every
@torch.no_grad()
def test_words_their_order_and_codes_matter(make, processor, new_model):
    model = new_model(processor, seed=2, scale=2.0)
    z = codes(1)
    a, b, c = (processor([s]) for s in ("the cat sees bread .", "bread sees the cat .", "the cat buys bread ."))
    for other in (b, c):
        assert (model.encode(**a).mean - model.encode(**other).mean).abs().max() > 1e-4
        assert abs(float(model.nll(z, **a)[0] - model.nll(z, **other)[0])) > 1e-4
    first, last = processor(["today bread bread bread bread"]), processor(["she bread bread bread bread"])
    assert (model.encode(**first).mean - model.encode(**last).mean).abs().max() > 1e-6  # the first word is not forgotten
    first, last = processor(["today bread bread bread bread"]), processor(["she bread bread bread bread"])
    assert (model.encode(**first).mean - model.encode(**last).mean).abs().max() > 1e-6  # the first word is not forgotten
    assert abs(float(model.nll(z, **a)[0] - model.nll(-z, **a)[0])) > 1e-3


@every
def test_every_parameter_gets_a_gradient(make, attribute_processor, sentences):
    model = make(attribute_processor).train()
    output = model(**attribute_processor(sentences[:4], [{"mood": "bad", "tense": "past"}, {}] * 2))
    (output.nll.sum() + output.posterior.kl().sum()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all() and parameter.grad.any(), name


@every_decoder
@torch.no_grad()
def test_attributes_matter_and_unspecified_is_none_given(make, attribute_processor):
    model = make(attribute_processor, scale=2.0)
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


@each
def test_dropout_works_in_training_only(make, processor, batch):
    model = make(processor, dropout=0.5)
    z = codes()
    assert torch.equal(model.nll(z, **batch)[0], model.nll(z, **batch)[0])
    model.train()
    assert not torch.equal(model.nll(z, **batch)[0], model.nll(z, **batch)[0])
    assert not torch.equal(model.encode(**batch).mean, model.encode(**batch).mean)


@every_decoder
def test_cached_decoding_equals_uncached(make, processor):
    model = make(processor, seed=4, scale=2.5)
    for options in ({}, {"num_beams": 3}):
        options = {"max_new_tokens": 7, **options}
        cached, uncached = (model.generate(codes(), use_cache=flag, **options) for flag in (True, False))
        assert torch.equal(cached, uncached)


@every_decoder
def test_batched_decoding_equals_one_at_a_time_in_order(make, processor):
    model = make(processor, seed=5, scale=2.5)
    z = codes(5)
    for options in ({}, {"num_beams": 4}, {"num_beams": 3, "num_return_sequences": 2, "length_penalty": 0.5}):
        options = {"max_new_tokens": 7, **options}
        together = trimmed(model.generate(z, **options))
        alone = [row for i in range(5) for row in trimmed(model.generate(z[i : i + 1], **options))]
        assert together == alone
    assert len({tuple(r) for r in trimmed(model.generate(z, max_new_tokens=7))}) > 1  # codes decide what is said


@each
@pytest.mark.parametrize("options", [{}, {"do_sample": True}, {"do_sample": True, "num_return_sequences": 3}])
def test_ended_sentences_ask_nothing_of_the_vocabulary_and_the_others_get_the_same(make, options, processor, monkeypatch):
    model, logits, asked = make(processor, seed=7, scale=2.5), SentenceDecoder.logits, []
    with torch.no_grad():
        model.decoder.output_bias[EOS] += 1.0

    def counted(decoder, states):
        asked.append(len(states))
        return logits(decoder, states)

    def generate():
        torch.manual_seed(1)
        return model.generate(codes(30), max_new_tokens=12, **options)

    monkeypatch.setattr(SentenceDecoder, "logits", counted)
    generated = generate()
    inputs = generated[:, :-1]
    assert asked == (inputs != PAD).sum(0).tolist() and asked[-1] < asked[0] == len(generated)
    monkeypatch.setattr(SentenceDecoder, "_running", lambda *_: None)
    asked.clear()
    assert torch.equal(generate(), generated) and set(asked) == {len(generated)}


@each
def test_words_are_drawn_from_the_whole_vocabulary_unless_less_is_asked_for(make, processor):
    model = make(processor, seed=7, vocab_size=80)  # more than the 50 likeliest, which are transformers' own default
    z = codes(1).expand(8000, -1)
    torch.manual_seed(0)
    assert len(model.generate(z, do_sample=True, max_new_tokens=1)[:, 1].unique()) == 77  # all but PAD, BOS and MASK
    assert len(model.generate(z, do_sample=True, max_new_tokens=1, top_k=5)[:, 1].unique()) == 5


@each
def test_greedy_takes_the_best_token_each_time(make, processor):
    model = make(processor, seed=6, scale=2.5)
    z = codes(4)
    generated = model.generate(z, max_new_tokens=6)
    assert (generated[:, 0] == BOS).all()
    for row, code in zip(trimmed(generated), z, strict=True):
        with torch.no_grad():
            logits = model.decoder(torch.tensor([row[:-1]]), code[None]).logits[0]
        logits[:, [PAD, BOS, MASK]] = -torch.inf
        assert logits.argmax(-1).tolist() == row[1:]


@each
@pytest.mark.parametrize("option", [{"max_new_token": 3}, {"num_beam": 2}, {"latent": torch.zeros(1, 4)}])
def test_a_mistyped_option_raises(make, option, processor):
    with pytest.raises(ValueError, match=next(iter(option))):
        make(processor).generate(codes(1), **option)


@every_fifth
def test_saved_models_load_bit_for_bit(make, processor, batch, tmp_path):
    model = make(processor)
    model.save_pretrained(tmp_path)
    again = type(model).from_pretrained(tmp_path)
    assert again.state_dict().keys() == model.state_dict().keys() and not again.training and not again.training
    for name, tensor in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor), name
    z = codes()
    assert torch.equal(again.nll(z, **batch)[0], model.nll(z, **batch)[0])
    assert torch.equal(again.generate(z, max_new_tokens=5), model.generate(z, max_new_tokens=5))
    assert not list(tmp_path.glob("*.bin")) and (tmp_path / "model.safetensors").is_file()
