"""The critic of sentences: real and soft ones read alike, padding and company change nothing."""

import pytest
import torch
from torch.nn.functional import one_hot, pad
from torch.testing import assert_close

from textae.objectives.sentence_classifier import SentenceClassifier


@pytest.fixture
def classifier():
    torch.manual_seed(0)
    return SentenceClassifier(11, [2, 3], embedding_dim=5, filters=4)


@pytest.fixture
def sentences():
    ids = torch.randint(5, 11, (4, 6), generator=torch.Generator().manual_seed(0))
    mask = (torch.arange(6) < torch.tensor([6, 3, 1, 2])[:, None]).long()
    return torch.where(mask.bool(), ids, 0), mask


def test_distributions_that_are_sure_are_words(classifier, sentences):
    ids, mask = sentences
    assert_close(classifier(one_hot(ids, 11).float(), mask), classifier(ids, mask))


def test_a_mixture_reads_the_mixture_of_vectors(classifier):
    soft = torch.rand(3, 4, 11).softmax(2).requires_grad_()
    logits = classifier(soft, torch.ones(3, 4, dtype=torch.long))
    assert logits.shape == (3, 5) and [part.shape[1] for part in classifier.split(logits)] == [2, 3]
    logits.sum().backward()
    assert (soft.grad.abs().sum((0, 2)) > 0).all()


@torch.no_grad()
def test_padding_and_company_change_nothing(classifier, sentences):
    ids, mask = sentences
    logits = classifier(ids, mask)
    assert_close(classifier(pad(ids, (0, 4), value=7), pad(mask, (0, 4))), logits)
    for i, length in enumerate((6, 3, 1, 2)):
        assert_close(classifier(ids[i : i + 1, :length], mask[i : i + 1, :length])[0], logits[i])


@torch.no_grad()
def test_words_and_their_order_matter(classifier):
    mask = torch.ones(1, 4, dtype=torch.long)
    a, b, c = (classifier(torch.tensor([ids]), mask) for ids in ([5, 6, 7, 8], [8, 7, 6, 5], [5, 6, 7, 9]))
    assert (a - b).abs().max() > 1e-4 and (a - c).abs().max() > 1e-4


@torch.no_grad()
def test_it_is_the_maximum_over_all_windows_that_touch_the_sentence(classifier):
    """By hand: zeros on either side of three words, every window with a word in it, the largest answer of each filter."""
    ids = torch.tensor([5, 9, 6])
    found = []
    for layer in classifier.filters:
        width = layer.kernel_size[0]
        padded = torch.cat([torch.zeros(width - 1, 5), classifier.embed(ids), torch.zeros(width - 1, 5)])
        windows = torch.stack([padded[i : i + width] for i in range(3 + width - 1)])
        found.append((torch.einsum("wke,fek->wf", windows, layer.weight) + layer.bias).relu().amax(0))
    assert_close(classifier(ids[None], torch.ones(1, 3, dtype=torch.long))[0], classifier.output(torch.cat(found)))
