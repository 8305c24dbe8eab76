"""Soft sentences: greedy and sampled decoding are their limits, and gradients find their way back."""

import pytest
import torch
from torch.testing import assert_close

from textae.models.soft_generation import soft_generate
from textae.models.transformer import TransformerVAE, TransformerVAEConfig

PAD, BOS, EOS, UNK, MASK = range(5)


def codes(num=6, seed=0):
    return 2 * torch.randn(num, 4, generator=torch.Generator().manual_seed(seed))


def trimmed(ids):
    rows = ids.tolist()
    return [row[: row.index(EOS) + 1] if EOS in row else row for row in rows]


@pytest.fixture(params=["lstm", "gru", "transformer"])
def model(request, attribute_processor, new_model):
    if request.param == "transformer":
        torch.manual_seed(4)
        tiny = dict(latent_dim=4, hidden_dim=16, num_heads=2, feedforward_dim=24, num_encoder_layers=1, num_decoder_layers=2, embedding_std=0.3)
        model = TransformerVAE(TransformerVAEConfig(vocab_size=len(attribute_processor.tokenizer), attributes=attribute_processor.attributes, **tiny)).eval()
        push = 3.0
    else:
        model = new_model(attribute_processor, seed=5, cell=request.param, num_layers=2)
        push = 10.0
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1 or request.param != "transformer":
                parameter.mul_(2.5)  # strong opinions
        model.decoder.output_bias[EOS] += push  # so that sentences end, at different lengths
    return model


@pytest.mark.parametrize("hard", [False, True])
def test_cold_and_quiet_it_is_greedy_decoding(model, hard):
    attributes = torch.tensor([[0, 1], [2, -1], [-1, 0], [-1, -1], [1, 1], [2, 0]])
    soft = soft_generate(model.decoder, codes(), attributes, temperature=1e-5, max_tokens=9, hard=hard, noise=False)
    wanted = model.generate(codes(), attributes=attributes, max_new_tokens=9)[:, 1:]
    assert trimmed(soft.ids) == trimmed(wanted)
    assert soft.mask.sum(1).tolist() == [len(row) for row in trimmed(wanted)] and len(set(soft.mask.sum(1).tolist())) > 1
    assert_close(soft.probabilities.amax(2), torch.ones(soft.mask.shape), atol=1e-3, rtol=0)


def test_cold_noise_is_sampling(processor, new_model):
    """The hard draws of the first word occur as often as the model says, at any temperature."""
    model = new_model(processor)
    with torch.no_grad():
        logits = model.decoder(torch.tensor([[BOS]]), codes(1)).logits[0, -1]
        logits[[PAD, BOS, MASK]] = -torch.inf
        torch.manual_seed(0)
        for temperature in (0.3, 2.0):
            drawn = soft_generate(model.decoder, codes(1).expand(4000, -1), temperature=temperature, max_tokens=1, hard=True).ids[:, 0]
            assert (torch.bincount(drawn, minlength=len(logits)) / 4000 - logits.softmax(-1)).abs().max() < 0.03


@pytest.mark.parametrize("noise", [False, True])
def test_steps_are_distributions_and_marks_never_occur(model, noise):
    torch.manual_seed(1)
    soft = soft_generate(model.decoder, codes(), temperature=1.5, max_tokens=8, noise=noise)
    assert_close(soft.probabilities.sum(2), torch.ones(soft.mask.shape))
    assert (soft.probabilities[soft.mask.bool()][:, [PAD, BOS, MASK]] == 0).all()
    assert (soft.probabilities[~soft.mask.bool()][:, PAD] == 1).all()


def test_hard_sentences_are_one_hot_and_gradients_those_of_soft_ones(model):
    torch.manual_seed(2)
    sentences = soft_generate(model.decoder, codes(), temperature=0.7, max_tokens=5, hard=True)
    assert ((sentences.probabilities == 0) | (sentences.probabilities == 1)).all()
    assert (sentences.probabilities.sum(2) == 1).all()
    one = torch.randn(sentences.probabilities.shape, generator=torch.Generator().manual_seed(0))
    (sentences.probabilities * one).sum().backward()
    grads = {n: p.grad for n, p in model.decoder.named_parameters()}
    assert all(g is not None and g.isfinite().all() for n, g in grads.items()) and grads["output_bias"].abs().sum() > 0
    # the first step, by hand: straight-through is the derivative of the soft step
    model.zero_grad()
    first = {}
    for hard in (False, True):
        torch.manual_seed(3)
        step = soft_generate(model.decoder, codes(), temperature=0.7, max_tokens=1, hard=hard).probabilities
        first[hard] = torch.autograd.grad((step * one[:, :1]).sum(), model.decoder.output_bias)[0]
    assert_close(first[True], first[False])


def test_codes_and_attributes_feel_the_loss_and_late_words_the_early_ones(model):
    z = codes().requires_grad_()
    soft = soft_generate(model.decoder, z, torch.zeros(6, 2, dtype=torch.long), temperature=1.0, max_tokens=4, noise=False)
    assert soft.probabilities.shape[1] == 4
    soft.probabilities[:, 3, 7].sum().backward()
    assert z.grad.abs().sum() > 0
    assert all(e.weight.grad[1].abs().sum() > 0 for e in model.decoder.attribute_embed)
    assert model.decoder.embed.weight.grad.abs().sum() > 0


@torch.no_grad()
def test_company_changes_nothing(model):
    together = soft_generate(model.decoder, codes(), temperature=0.5, max_tokens=9, noise=False)
    for i in range(6):
        alone = soft_generate(model.decoder, codes()[i : i + 1], temperature=0.5, max_tokens=9, noise=False)
        length = alone.mask.shape[1]
        assert_close(together.probabilities[i, :length], alone.probabilities[0], atol=1e-4, rtol=0)
        assert together.mask[i].sum() == alone.mask.sum()


@torch.no_grad()
def test_hard_sentences_are_read_as_their_words(model):
    torch.manual_seed(5)
    hard = soft_generate(model.decoder, codes(), max_tokens=7, hard=True)
    by_words = model.encode(input_ids=hard.ids, attention_mask=hard.mask).mean
    assert_close(model.encode(inputs_embeds=hard.embedded(model.decoder.embed), attention_mask=hard.mask).mean, by_words)


def test_a_sentence_is_a_function_of_the_seed(model):
    def draw(seed):
        torch.manual_seed(seed)
        return soft_generate(model.decoder, codes(), max_tokens=5).probabilities

    assert torch.equal(draw(1), draw(1)) and not torch.equal(draw(1)[:, 0], draw(2)[:, 0])


@pytest.mark.parametrize("options, message", [({"temperature": 0.0}, "temperature is 0.0; it must be above 0"), ({"max_tokens": 0}, "max_tokens is 0")])
def test_what_cannot_be_is_refused(model, options, message):
    with pytest.raises(ValueError, match=message):
        soft_generate(model.decoder, codes(), **options)
