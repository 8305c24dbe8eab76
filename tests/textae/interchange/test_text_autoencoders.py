"""Checkpoints of text-autoencoders: the same codes, costs and sentences as the computation they were trained as."""

import argparse
import os

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from textae.interchange.text_autoencoders import read_checkpoint, read_vocabulary, read_weights
from textae.space import LatentSpace

WORDS = ["<pad>", "<go>", "<eos>", "<unk>", "<blank>", "the", "cat", "dog", "sees", "a", "bird", "."]
SENTENCES = ["the cat sees a dog .", "a bird sees the cat .", "the dog", "a", "the unknown bird sees a zebra ."]


class Reference(nn.Module):
    """The published model in its own layout and order (time first): two LSTMs, z added to the decoder's words."""

    def __init__(self, layers):
        super().__init__()
        self.embed = nn.Embedding(len(WORDS), 6)
        self.proj = nn.Linear(8, len(WORDS))
        self.E = nn.LSTM(6, 8, layers, bidirectional=True)
        self.G = nn.LSTM(6, 8, layers)
        self.h2mu, self.h2logvar, self.z2emb = nn.Linear(16, 5), nn.Linear(16, 5), nn.Linear(5, 6)

    def encode(self, go_x):
        h = self.E(self.embed(go_x))[1][0]
        h = torch.cat([h[-2], h[-1]], 1)
        return self.h2mu(h), self.h2logvar(h)

    def decode(self, z, go_x, state=None):
        output, state = self.G(self.embed(go_x) + self.z2emb(z), state)
        return self.proj(output), state

    def greedy(self, z, longest=20):
        word, state, found = torch.full((1, 1), 1), None, []
        for _ in range(longest):
            logits, state = self.decode(z, word, state)
            word = logits.argmax(-1)
            found.append(word.item())
            if found[-1] == 2:
                break
        return " ".join(WORDS[i] for i in found if i != 2)


def ids_of(sentence):
    return [WORDS.index(w) if w in WORDS else 3 for w in sentence.split()]


def write(folder, layers=1, critic=False, **changes):
    """A checkpoint as the original's training writes it, with weights large enough to have opinions."""
    torch.manual_seed(4)
    model = Reference(layers).eval()
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(2.5)
        model.proj.bias[:5] -= 10  # marks are never targets, and a trained model never writes them
        model.proj.bias[2] += 10.2
    weights = model.state_dict()
    if critic:
        weights |= {"D.0.weight": torch.randn(7, 5), "D.0.bias": torch.randn(7), "D.2.weight": torch.randn(1, 7), "D.2.bias": torch.randn(1)}
    args = argparse.Namespace(model="aae" if critic else "dae", dim_z=5, dropout=0.5, noise=[0.3, 0.0, 0.0, 0.0], train="data/train.txt")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("".join(f"{word}\t{100 - i}\n" for i, word in enumerate(WORDS)))
    torch.save({"args": args, "model": {**weights, **changes}}, folder / "model.pt")
    return model


@pytest.mark.parametrize(("layers", "critic"), [(1, False), (2, True)])
def test_codes_costs_and_sentences_are_the_originals(tmp_path, layers, critic):
    original = write(tmp_path / "run", layers, critic)
    space = read_checkpoint(tmp_path / "run")
    space.save_pretrained(tmp_path / "ours")
    space = LatentSpace.from_pretrained(tmp_path / "ours")
    posterior = space.posterior(SENTENCES)  # of several lengths in one batch: padding must not matter
    batch = space.processor(SENTENCES)
    with torch.no_grad():
        ours, count = space.model.nll(posterior.mean, **batch)
        logits = space.model.decoder(batch["decoder_input_ids"], posterior.mean).logits
        for i, sentence in enumerate(SENTENCES):
            words = ids_of(sentence)
            go_x, x_eos = torch.tensor([1, *words])[:, None], torch.tensor([*words, 2])
            mean, logvar = original.encode(go_x)
            theirs = original.decode(mean, go_x)[0][:, 0]
            assert torch.allclose(posterior.mean[i], mean[0], atol=1e-5) and torch.allclose(posterior.logvar[i], logvar[0], atol=1e-5)
            assert torch.allclose(logits[i, : len(theirs)], theirs, atol=1e-4)
            assert ours[i].item() == pytest.approx(cross_entropy(theirs, x_eos, reduction="sum").item(), rel=1e-5)
            assert count[i] == len(x_eos)
            assert space.reconstruct(sentence, max_new_tokens=20) == original.greedy(mean)
    assert len({space.reconstruct(s) for s in SENTENCES}) > 1, "a model that says one thing to everything tests nothing"


def test_dropout_is_kept_for_further_training(tmp_path):
    write(tmp_path)
    assert read_checkpoint(tmp_path).model.config.dropout == 0.5


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (WORDS[1:], "begins with <go>"),
        ([*WORDS, "cat"], "'cat' on lines 7 and 13"),
        ([*WORDS, "<unk>"], "two words one id"),
        ([*WORDS[:6], " ", *WORDS[6:]], "line 7 is empty"),
        ([], "begins with nothing"),
    ],
)
def test_vocabularies_that_say_nothing_certain_are_refused(tmp_path, lines, message):
    (tmp_path / "vocab.txt").write_text("".join(f"{word}\t1\n" if word.strip() else "\n" for word in lines))
    with pytest.raises(ValueError, match=message):
        read_vocabulary(tmp_path / "vocab.txt")


def test_incomplete_and_foreign_checkpoints_are_refused(tmp_path):
    with pytest.raises(ValueError, match="has no vocab.txt"):
        read_checkpoint(tmp_path)
    write(tmp_path)
    with (tmp_path / "vocab.txt").open("a") as file:
        file.write("zebra\t1\n")
    with pytest.raises(ValueError, match="13 words and the weights are of 12"):
        read_checkpoint(tmp_path)
    for change, message in (
        ({"q.weight": torch.zeros(2)}, "has the unknown q.weight"),
        ({"h2mu.bias": torch.zeros(4)}, "must be"),
        ({"h2mu.bias": torch.full((5,), float("nan"))}, "h2mu.bias is not a tensor of finite"),
        ({"E.weight_hh_l0": torch.zeros(3, 3)}, r"E.weight_hh_l0 has shape \(3, 3\)"),
    ):
        write(tmp_path, **change)
        with pytest.raises(ValueError, match=message):
            read_checkpoint(tmp_path)
    torch.save({"model": {}}, tmp_path / "model.pt")
    with pytest.raises(ValueError, match="not of text-autoencoders"):
        read_weights(tmp_path / "model.pt")
    (tmp_path / "model.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(ValueError, match="cannot be read as weights alone"):
        read_weights(tmp_path / "model.pt")


class Trap:
    """What a hostile pickle would do when it is opened."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_no_code_of_a_checkpoint_runs(tmp_path):
    write(tmp_path)
    torch.save({"args": argparse.Namespace(), "model": {"embed.weight": Trap(tmp_path / "sprung")}}, tmp_path / "model.pt")
    with pytest.raises(ValueError, match="cannot be read as weights alone"):
        read_checkpoint(tmp_path)
    assert not (tmp_path / "sprung").exists()
