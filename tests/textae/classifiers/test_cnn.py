"""The convolutional judge: its formula by hand, and padding that does not count."""

import numpy as np
import pytest
import torch

import textae.classifiers.fitting as fitting
from textae.classifiers.cnn import CNN, UNKNOWN, WIDTHS, CNNClassifier


def test_logits_by_hand():
    """Every window of every width that is centered on a word, one after the other."""
    torch.manual_seed(0)
    net = CNN(9, 3, embedding_dim=5, filters=4, dropout=0.5).eval()
    ids = torch.tensor([4, 2, 7, 7, 3])
    with torch.no_grad():
        words = [net.embeddings.weight[i] for i in ids]
        nothing, maxima = torch.zeros(5), []
        for convolution, width in zip(net.convolutions, WIDTHS, strict=True):
            outputs = []
            for start in range(-((width - 1) // 2), len(ids) - (width - 1) // 2):
                window = [words[i] if 0 <= i < len(ids) else nothing for i in range(start, start + width)]
                outputs.append((convolution.weight * torch.stack(window, 1)).sum((1, 2)) + convolution.bias)
            assert len(outputs) == len(ids)
            maxima.append(torch.stack(outputs).max(0).values.relu())
        expected = net.output(torch.cat(maxima))
        assert torch.allclose(net(ids[None])[0], expected, atol=1e-6)


def test_padding_does_not_count():
    torch.manual_seed(1)
    net = CNN(9, 2, embedding_dim=5, filters=4, dropout=0.5).eval()
    for convolution in net.convolutions:  # a window of padding alone would win every maximum
        convolution.bias.data.fill_(3.0)
        convolution.weight.data.mul_(-2.0)
    short, padded = torch.tensor([[5]]), torch.tensor([[5, 0, 0, 0, 0, 0, 0, 0]])
    assert torch.allclose(net(short), net(padded), atol=1e-6)


def test_scoring_in_small_parts_changes_nothing(classifiers, make_labeled, monkeypatch):
    texts = [*make_labeled(20, 8)[0], "warm", "cold " * 50]
    found = classifiers["cnn"].probabilities(texts)
    monkeypatch.setattr(fitting, "SCORED_IDS", 16)  # fewer than the longest sentence has
    assert np.allclose(classifiers["cnn"].probabilities(texts), found, atol=1e-6)


def test_rare_words_are_unknown(make_labeled):
    texts, labels = make_labeled(60, 1)
    judge = CNNClassifier.train(
        [*texts, "a zebra"], [*labels, "good"], embedding_dim=4, filters=2, min_steps=1, epochs=1
    )
    assert "zebra" not in judge.vocabulary and "was" in judge.vocabulary
    assert judge._ids.get("zebra", UNKNOWN) == UNKNOWN and min(judge._ids.values()) == UNKNOWN + 1
    few = CNNClassifier.train(texts, labels, embedding_dim=4, filters=2, min_steps=1, epochs=1, max_words=3)
    assert few.vocabulary == [".", "the", "today"] or set(few.vocabulary) <= {".", "the", "today", "was"}
    with pytest.raises(ValueError, match="no word occurs 500 times"):
        CNNClassifier.train(texts, labels, min_count=500)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"embedding_dim": 0}, "embedding_dim=0"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"max_words": 0}, "max_words=0"),
        ({"epochs": 0}, "epochs is 0"),
        ({"lr": 0.0}, "lr is 0"),
    ],
)
def test_settings_that_cannot_be_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        CNNClassifier.train(["a b", "a c", "a d"], ["x", "y", "x"], **settings)
