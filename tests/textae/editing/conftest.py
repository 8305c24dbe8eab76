"""A tiny conditional model of our own sentences, trained for a few seconds: two tenses, two sentiments, and fragments."""

import json

import pytest

# Each verb has objects of its own, which come first: nothing else could tell a model without pairs that "drank" is the past of "drink".
VERBS = {
    "drink": ("drank", {"positive": "tea", "negative": "mud"}),
    "sing": ("sang", {"positive": "songs", "negative": "lies"}),
    "see": ("saw", {"positive": "stars", "negative": "rats"}),
    "want": ("wanted", {"positive": "peace", "negative": "war"}),
}
YAML = """\
model: {name: rnn, embedding_dim: 32, hidden_dim: 64, encoder_hidden_dim: 32, latent_dim: 12, posterior: point}
tokenizer: {kind: word}
data:
  name: files
  train: train.jsonl
  valid: train.jsonl
  attributes: {tense: [past, present, other], sentiment: [negative, positive]}
  attribute_drop: 0.1
  batch_size: 32
objective: {reconstruction: , attribute_information: {weight: 5, hidden_dim: 64}}
trainer: {epochs: 40, lr: 1e-2, decay: cosine, device: cpu, progress: false, eval_every: 0, select: last}
"""


def rows():
    """Every sentence with its attributes."""
    found = []
    for who in ("I", "we", "you", "they"):
        for now, (then, things) in VERBS.items():
            for feeling, thing in things.items():
                found.append({"text": f"{thing} {who} {now} .", "tense": "present", "sentiment": feeling})
                found.append({"text": f"{thing} {who} {then} .", "tense": "past", "sentiment": feeling})
    fragments = [(f"the {a} {thing} .", f) for _, things in VERBS.values() for f, thing in things.items() for a in ("old", "new", "red")]
    return found + [{"text": text, "tense": "other", "sentiment": feeling} for text, feeling in fragments]


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """The folder of the model, with readers and attributes of its codes beside it."""
    import os

    from apps.run import train
    from apps.settings import resolve
    from textae import LatentSpace
    from textae.classifiers.bag import BagClassifier
    from textae.core.editing import AttributeCodes
    from textae.editing import save_readers

    folder = tmp_path_factory.mktemp("editing")
    data = rows()
    (folder / "train.jsonl").write_text("\n".join(map(json.dumps, data)) + "\n")
    (folder / "run.yaml").write_text(YAML)
    before = os.getcwd()
    os.chdir(folder)
    try:
        model = folder / train(resolve("run.yaml"))
    finally:
        os.chdir(before)
    texts = [row["text"] for row in data]
    save_readers({name: BagClassifier.train(texts, [row[name] for row in data], buckets=500, min_steps=300) for name in ("tense", "sentiment")}, model)
    labels = [{k: row[k] for k in ("tense", "sentiment")} for row in data]
    AttributeCodes.fit_space(LatentSpace.from_pretrained(model), texts, labels, hidden_dim=8, steps=50).save(model)
    return model
