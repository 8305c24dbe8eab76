"""The recurrent VAE, beyond what `test_contract` asks of every model: its encoder, its states, sampling, saving.

Shapes: B sentences, T tokens, D latent dimensions.
"""

import pytest
import torch
from huggingface_hub.errors import StrictDataclassError
from torch.testing import assert_close

from textae.core.autoencoder import make_config
from textae.models.rnn import CELLS, RNNVAE, RNNVAEConfig

from .conftest import BOS, EOS, MASK, PAD, codes, trimmed

# --- the likelihood -----------------------------------------------------------------------------------------------


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


def test_forget_gates_begin_open(processor, new_model):
    """With a bias of 30 and no input an LSTM keeps its cell for good; torch's own draws let half of it go at every step."""
    for bias, kept in ((30.0, 1.0), (None, 0.5**8)):
        model = new_model(processor, num_layers=2, forget_bias=bias)
        for cell in (*(c for directions in model.encoder.layers for c in directions), *model.decoder.layers):
            with torch.no_grad():
                cell.weight_ih_l0.zero_()
                cell.weight_hh_l0.zero_()
                for biases in (cell.bias_ih_l0, cell.bias_hh_l0):  # nothing enters the cell
                    biases[2 * cell.hidden_size : 3 * cell.hidden_size] = 0.0
            begin = torch.full((1, 1, cell.hidden_size), 2.0)
            end = cell(torch.zeros(1, 8, cell.input_size), (begin, begin))[1][1] / 2.0
            assert (end - kept).abs().max() < 0.1
    with pytest.raises(StrictDataclassError, match="a gru has no forget gate"):
        RNNVAEConfig(vocab_size=9, cell="gru", forget_bias=1.0)


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


# --- save and load ------------------------------------------------------------------------------------------------


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
