"""A tiny conditioned model with a batch, half labelled, and a corpus whose verb is its attribute."""

import pytest
import torch

VALUES = torch.tensor([[0, 1], [2, -1], [-1, 0], [-1, -1], [1, 1], [2, 0]])  # mood, tense


@pytest.fixture
def case(attribute_processor, new_model, sentences):
    """A model in training mode, its output and its batch of six."""
    model = new_model(attribute_processor, scale=1.5, attribute_dim=4).train()
    batch = {**attribute_processor([sentences[i] for i in (4, 2, 8, 30, 1, 5)]), "attributes": VALUES}
    torch.manual_seed(0)
    return model, model(**batch), batch


@pytest.fixture
def bound():
    def make(term, model, seed=3):
        torch.manual_seed(seed)
        term.bind(model)
        return term

    return make


class Verbs:
    """Thirty-six sentences whose attribute is their verb, "sees" or "buys", and models trained on them."""

    def __init__(self, sentences, processor, new_model):
        self.sentences, self.processor, self.new_model = sentences, processor, new_model
        rows = [{"verb": "sees" if "sees" in sentence.split() else "buys"} for sentence in sentences]
        self.batch = processor(sentences, rows)
        self.values = self.batch["attributes"]

    def train(self, objective, share, steps, lr=5e-3, term=None):
        """A model in eval mode, trained with labels on a share of the sentences; with `term`, that term of its objective too."""
        from textae.core.objectives import Objective
        from textae.objectives import TERMS

        shape = dict(latent_dim=6, hidden_dim=48, encoder_hidden_dim=32, embedding_dim=16, attribute_dim=4)
        model = self.new_model(self.processor, **shape).train()
        labelled = torch.rand(len(self.sentences), generator=torch.Generator().manual_seed(0)) < share
        batch = {**self.batch, "attributes": torch.where(labelled[:, None], self.values, -1)}
        objective = Objective.from_config(objective, TERMS)
        torch.manual_seed(0)
        objective.bind(model)
        players = {"model": ([p for p in model.parameters() if p.requires_grad], 1.0), **objective.players()}
        optimizer = torch.optim.Adam([{"params": params, "lr": lr * part} for params, part in players.values()])
        for step in range(steps):
            torch.manual_seed(1000 + step)
            optimizer.zero_grad()
            objective(model, model(**batch), batch, step)[0].backward()
            for params, _ in players.values():
                torch.nn.utils.clip_grad_norm_(params, 5.0)
            optimizer.step()
        return (model.eval(), objective.terms[term]) if term else model.eval()

    def codes(self, model):
        return model.encode(**self.batch).mean.detach()

    def decode(self, model, codes, values):
        return self.processor.decode(model.generate(codes, attributes=values, max_new_tokens=12))

    def swapped(self, sentence):
        return " ".join({"sees": "buys", "buys": "sees"}.get(word, word) for word in sentence.split())


@pytest.fixture
def verbs(sentences, attribute_processor, new_model):
    from textae.data.processor import SentenceProcessor

    return Verbs(sentences, SentenceProcessor(attribute_processor.tokenizer, {"verb": ["sees", "buys"]}, 32), new_model)
