"""Attributes as values and as weights: the same where they say the same, a straight line in between and beyond."""

import pytest
import torch
from torch.testing import assert_close

from textae.models.conditioning import AttributeEmbedding, attribute_weights
from textae.models.rnn import RNNVAE

KNOWN = {"tense": ["past", "present"], "mood": ["good", "bad", "flat"]}  # columns by name: mood, tense
VALUES = torch.tensor([[0, 1], [2, -1], [-1, 0], [-1, -1], [1, 1]])


@pytest.fixture
def embed():
    torch.manual_seed(0)
    return AttributeEmbedding(KNOWN, 4)


def test_rows_are_the_values_behind_an_unspecified_one(embed):
    z = torch.randn(5, 3)
    context = embed(z, VALUES)
    assert context.shape == (5, 3 + 2 * 4) and torch.equal(context[:, :3], z)
    assert torch.equal(context[0], torch.cat([z[0], embed[0].weight[1], embed[1].weight[2]]))
    assert torch.equal(context[3], torch.cat([z[3], embed[0].weight[0], embed[1].weight[0]]))
    assert torch.equal(embed(z), embed(z, torch.full((5, 2), -1)))
    assert [e.num_embeddings for e in embed] == [4, 3]


def test_names_of_weights_are_those_of_a_list_of_tables(embed):
    assert list(embed.state_dict()) == ["0.weight", "1.weight"]


def test_without_attributes_there_is_nothing_beside_the_code():
    z = torch.randn(2, 3)
    empty = AttributeEmbedding({}, 4)
    assert torch.equal(empty(z), z) and torch.equal(empty(z, torch.zeros(2, 1, dtype=torch.long)), z)
    assert not list(empty.parameters())


@pytest.mark.parametrize("base", ["unspecified", "opposite"])
def test_strength_one_is_the_value_itself(embed, base):
    z = torch.randn(5, 3)
    assert_close(embed(z, attribute_weights(VALUES, KNOWN, 1.0, base)), embed(z, VALUES), atol=0, rtol=0)


def test_strength_is_a_straight_line_from_the_base_through_the_value(embed):
    z, values = torch.zeros(1, 0), torch.tensor([[1, 0]])
    for base, starts in (("unspecified", (embed[0].weight[0], embed[1].weight[0])), ("opposite", ((embed[0].weight[1] + embed[0].weight[3]) / 2, embed[1].weight[2]))):
        for s in (0.0, 0.4, 1.0, 1.5, 2.0):
            wanted = torch.cat([a + s * (b - a) for a, b in zip(starts, (embed[0].weight[2], embed[1].weight[1]), strict=True)])
            weights = attribute_weights(values, KNOWN, s, base)
            assert_close(embed(z, weights)[0], wanted)
            assert_close(weights.split([4, 3], 1)[0].sum(1), torch.ones(1))


def test_no_strength_changes_what_is_unspecified():
    for base in ("unspecified", "opposite"):
        weights = attribute_weights(VALUES, KNOWN, 1.7, base)
        assert weights[3].tolist() == [1, 0, 0, 0, 1, 0, 0] and weights[1, 4:].tolist() == [1, 0, 0]


def test_each_row_and_attribute_may_have_its_own_strength():
    strength = torch.tensor([[0.5, 1.5], [1.0, 0.0], [0.2, 2.0], [1.0, 1.0], [0.0, 0.3]])
    together = attribute_weights(VALUES, KNOWN, strength)
    for i, (mood, tense) in enumerate(strength.tolist()):
        alone = attribute_weights(VALUES[i : i + 1], KNOWN, torch.tensor([mood, tense]))
        assert_close(together[i : i + 1], alone)
        assert_close(together[i, :4], attribute_weights(VALUES[i : i + 1], KNOWN, mood)[0, :4])


@pytest.mark.parametrize(
    "options, message",
    [({"strength": -0.1}, "from 0 .* to 2"), ({"strength": 2.1}, "from 0 .* to 2"), ({"strength": float("nan")}, "from 0 .* to 2"),
     ({"base": "opposit"}, "unspecified, opposite"), ({"attributes": {"mood": ["good"], "tense": ["past", "present"]}, "base": "opposite"}, "'mood' has one value")],
)  # fmt: skip
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        attribute_weights(torch.zeros(1, 2, dtype=torch.long), **{"attributes": KNOWN, **options})


def test_wrong_columns_are_refused(embed):
    with pytest.raises(ValueError, match="3 columns; as values they need 2"):
        embed(torch.zeros(1, 3), torch.zeros(1, 3, dtype=torch.long))
    with pytest.raises(ValueError, match="2 columns; as weights they need 7"):
        embed(torch.zeros(1, 3), torch.zeros(1, 2))


# --- in the recurrent model ---------------------------------------------------------------------------------------


@torch.no_grad()
def test_a_model_takes_weights_wherever_it_takes_values(attribute_processor, new_model, sentences):
    model = new_model(attribute_processor, scale=3.0)
    known, z = model.config.decoder_attributes, torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    values = torch.tensor([[0, 1], [2, -1], [-1, 0], [-1, -1], [1, 1], [2, 0]])
    weights = attribute_weights(values, known)
    batch = attribute_processor(sentences[:6])
    assert torch.equal(model.nll(z, **batch, attributes=weights)[0], model.nll(z, **batch, attributes=values)[0])
    for options in ({}, {"num_beams": 3, "num_return_sequences": 2}):
        options = {"max_new_tokens": 6, **options}
        assert torch.equal(model.generate(z, attributes=weights, **options), model.generate(z, attributes=values, **options))
    costs = torch.stack([model.nll(z, **batch, attributes=attribute_weights(values, known, s))[0] for s in (0.0, 0.5, 1.0, 1.5)])
    assert torch.equal(costs[0], model.nll(z, **batch)[0])  # strength 0 is unspecified
    assert (costs.diff(dim=0)[:, [0, 1, 2, 4, 5]].abs() > 1e-5).all() and (costs.diff(dim=0)[:, 3] == 0).all()


def test_old_checkpoints_keep_their_names(attribute_processor, new_model):
    model = new_model(attribute_processor)
    assert {n for n in model.state_dict() if "attribute" in n} == {"decoder.attribute_embed.0.weight", "decoder.attribute_embed.1.weight"}


def test_the_bundled_model_loads():
    from pathlib import Path

    import textae

    model = RNNVAE.from_pretrained(Path(textae.__file__).parent / "zoo" / "everyday")
    z = torch.zeros(1, model.config.latent_dim)
    assert model.generate(z, max_new_tokens=3).shape[0] == 1


def test_words_may_come_as_vectors(processor, new_model, sentences):
    model, batch = new_model(processor), processor(sentences[:5])
    embedded = model.decoder.embed(batch["input_ids"])
    by_words, by_vectors = model.encode(**batch), model.encode(inputs_embeds=embedded, attention_mask=batch["attention_mask"])
    assert torch.equal(by_words.mean, by_vectors.mean)
    z = by_words.mean
    ids = batch["decoder_input_ids"]
    assert torch.equal(model.decoder(ids, z).logits, model.decoder(None, z, inputs_embeds=model.decoder.embed(ids)).logits)
    for wrong in ({}, {"input_ids": ids, "inputs_embeds": embedded}):
        with pytest.raises(ValueError, match="either input_ids or inputs_embeds"):
            model.encode(**wrong)
