"""The command line: every verb on a tiny model, and every mistake answered in one sentence with a non-zero exit."""

import json
import os
import resource
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

from apps import cli
from apps.catalog import ROOT

WHO, VERBS, THINGS = ("I", "You", "We", "They"), ("like", "need", "see", "want"), ("tea", "the dog", "a book", "rain")
LINES = [f"{w} {v} {t}." for w in WHO for v in VERBS for t in THINGS]
YAML = """\
model: {{name: rnn, embedding_dim: 16, hidden_dim: 24, encoder_hidden_dim: 16, latent_dim: 4}}
tokenizer: {{vocab_size: 300}}
data: {{name: files, train: {train}, valid: {train}, batch_size: 16}}
objective:
  reconstruction:
  kl: {{weight: 0.1}}
trainer: {{epochs: 2, lr: 1e-2, log_every: 1, device: cpu}}
"""


def textae(capsys, monkeypatch, *words, stdin=None):
    """Run the command in this process; gives (exit code, what it printed, what it complained of)."""
    monkeypatch.setattr(sys, "argv", ["textae", *map(str, words)])
    if stdin is not None:
        monkeypatch.setattr(sys, "stdin", open(stdin, "rb", closefd=True) if isinstance(stdin, int) else stdin)
    with pytest.raises(SystemExit) as end:
        cli.main()
    said = capsys.readouterr()
    return end.value.code or 0, said.out, said.err


@pytest.fixture(scope="session")
def workplace(tmp_path_factory):
    """A folder with a corpus, a config and a trained tiny run."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "train.txt").write_text("\n".join(LINES * 4) + "\n")
    (folder / "config.yaml").write_text(YAML.format(train=folder / "train.txt"))
    from apps.run import train
    from apps.settings import resolve

    train(resolve(folder / "config.yaml", [f"out={folder / 'run'}"]))
    return folder


@pytest.fixture
def run(capsys, monkeypatch):
    return lambda *words, **more: textae(capsys, monkeypatch, *words, **more)


def test_help_answers_in_half_a_second():
    """Of its own processor time, which a busy machine does not stretch as it does the clock."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-m", "apps.cli", "--help"], capture_output=True, text=True, cwd=ROOT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0 and "interpolate" in done.stdout
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5


def test_dry_run_prints_the_resolved_config(run, workplace):
    code, out, _ = run("train", "--config", workplace / "config.yaml", "--dry-run", "objective.kl.weight=0.5", "trainer.lr=2e-3")
    assert code == 0
    assert "lr: 0.002" in out and "weight: 0.5" in out and "out: " in out


def test_reconstruct_sample_interpolate(run, workplace):
    model = workplace / "run"
    code, out, _ = run("reconstruct", "--model", model, "I like tea.", "We see rain.")
    assert code == 0 and len(out.splitlines()) == 2
    code, out, _ = run("reconstruct", "--model", model, "--score", "--json", "I like tea.")
    row = json.loads(out)
    assert row["sentence"] == "I like tea." and isinstance(row["reconstruction"], str) and row["nll"] > 0
    first, second = (run("sample", "--model", model, "--num", 4, "--seed", 1)[1] for _ in range(2))
    assert first == second and len(first.splitlines()) == 4
    assert run("sample", "--model", model, "--num", 4, "--seed", 2)[1] != first
    code, out, _ = run("interpolate", "--model", model, "--steps", 5, "--json", "I like tea.", "We see rain.")
    assert [json.loads(line)["t"] for line in out.splitlines()] == [0, 0.25, 0.5, 0.75, 1]


def test_encode_writes_arrays_text_and_json(run, workplace, tmp_path):
    (tmp_path / "in.txt").write_text("\n".join(LINES[:10]) + "\n")
    assert run("encode", "--model", workplace / "run", "--file", tmp_path / "in.txt", "--out", tmp_path / "z.npz")[0] == 0
    content = np.load(tmp_path / "z.npz")
    assert content["z"].shape == (10, 4) and list(content["sentences"]) == LINES[:10]
    _, out, _ = run("encode", "--model", workplace / "run", "--json", LINES[3])
    assert np.allclose(json.loads(out)["z"], content["z"][3], atol=1e-5)


def test_pipe(run, workplace, tmp_path, monkeypatch):
    (tmp_path / "in.txt").write_text("I like tea.\nWe see rain.\n")
    with open(tmp_path / "in.txt") as file:
        code, out, _ = run("reconstruct", "--model", workplace / "run", stdin=file)
    assert code == 0 and len(out.splitlines()) == 2


def test_evaluate(run, workplace):
    code, out, _ = run("evaluate", "--model", workplace / "run", "--samples", 5, "--json", *LINES[:20])
    figures = json.loads(out)
    assert code == 0
    assert figures["num_examples"] == 20 and figures["words"] == sum(len(s.split()) for s in LINES[:20])
    assert figures["ppl"] == pytest.approx(np.exp(figures["nll"] * 20 / (figures["words"] + 20)))
    assert 0 <= figures["mi"] <= figures["ln_n"] + 1e-9


def test_configs_ls_and_cp(run, tmp_path):
    code, out, _ = run("configs", "ls")
    assert code == 0 and "text/tatoeba_lstm_vae" in out
    assert run("configs", "cp", "text/tatoeba_lstm_vae", tmp_path)[0] == 0
    assert (tmp_path / "tatoeba_lstm_vae.yaml").is_file()
    code, _, err = run("configs", "cp", "text/tatoeba_lstm_vae", tmp_path)
    assert code == 1 and "exists already" in err


def test_train_refuses_to_overwrite_and_resumes(run, workplace):
    code, _, err = run("train", "--config", workplace / "config.yaml", f"out={workplace / 'run'}")
    assert code == 1 and "--resume" in err
    code, _, err = run("train", "--config", workplace / "config.yaml", f"out={workplace / 'run'}", "trainer.lr=5e-3", "--resume")
    assert code == 1 and "trainer.lr: 0.01 -> 0.005" in err
    assert run("train", "--config", workplace / "config.yaml", f"out={workplace / 'run'}", "--resume")[0] == 0


def test_training_starts_from_a_checkpoint(run, workplace, tmp_path):
    """`init` takes weights and tokenizer; with a learning rate of zero they come out as they went in."""
    from apps.catalog import open_space

    words = ("train", "--config", workplace / "config.yaml", f"init={workplace / 'run'}", f"out={tmp_path / 'tuned'}", "trainer.lr=0")
    assert run(*words)[0] == 0
    before, after = (open_space(str(p), device="cpu").model.state_dict() for p in (workplace / "run", tmp_path / "tuned"))
    assert all(torch.equal(before[n], after[n]) for n in before)
    code, _, err = run(*words, f"out={tmp_path / 'other'}", "model.latent_dim=5")
    assert code == 1 and "latent_dim: 4 -> 5" in err


BAD = {
    "unknown section": (["train", "--config", "{config}", "modle.name=rnn"], "did you mean 'model'"),
    "unknown model key": (["train", "--config", "{config}", "model.latent_dims=3"], "did you mean 'latent_dim'"),
    "unknown model": (["train", "--config", "{config}", "model.name=rn"], "did you mean 'rnn'"),
    "unknown term": (["train", "--config", "{config}", "objective.kll=1"], "did you mean 'kl'"),
    "unknown term key": (["train", "--config", "{config}", "objective.kl={freebits: 1}"], "did you mean 'free_bits'"),
    "unknown schedule": (["train", "--config", "{config}", "objective.kl={weight: {schedule: liner}}"], "did you mean 'linear'"),
    "unknown trainer key": (["train", "--config", "{config}", "trainer.epoch=3"], "did you mean 'epochs'"),
    "unknown data set": (["train", "--config", "{config}", "data.name=tatoba"], "did you mean 'tatoeba'"),
    "prior option": (["train", "--config", "{config}", "prior.name=flow", "prior.layer=3"], "did you mean 'layers'"),
    "prior fit option": (["train", "--config", "{config}", "prior={name: flow, fit: {stepz: 3}}"], "did you mean 'steps'"),
    "dtype": (["train", "--config", "{config}", "save.dtype=fp16"], "float16"),
    "cell": (["train", "--config", "{config}", "model.cell=elman"], "lstm, gru"),
    "dropout": (["train", "--config", "{config}", "model.dropout=1.5"], "below 1"),
    "tracker": (["train", "--config", "{config}", "trainer.log_with=[tensorbord]"], "did you mean 'tensorboard'"),
    "word drop": (["train", "--config", "{config}", "data.word_drop=x"], "data.word_drop"),
    "free bits": (["train", "--config", "{config}", "objective.kl.free_bits=lots"], "objective"),
    "flat section": (["train", "--config", "{config}", "trainer=3"], "'trainer' must hold keys"),
    "augmentation": (["train", "--config", "{config}", "data.augmentation={mask: 0.1}"], "<mask> is never one"),
    "corruption": (["train", "--config", "{config}", "data.corruption=0.1"], "data.corruption must hold keys"),
    "no training file": (["train", "--config", "{config}", "data.train=null"], "train"),
    "vocabulary size": (["train", "--config", "{config}", "tokenizer.vocab_size=8k"], "tokenizer.vocab_size"),
    "card of others": (["train", "--config", "text/tatoeba_lstm_vae", "data.name=ptb"], "card=null"),
    "device": (["sample", "--model", "{model}", "--device", "gpu"], "device 'gpu'"),
    "unknown data key": (["train", "--config", "{config}", "data.text_colum=x"], "did you mean 'text_column'"),
    "batch of nothing": (["train", "--config", "{config}", "data.batch_size=0"], "at least 1"),
    "wrong option type": (["train", "--config", "{config}", "trainer.lr=fast"], "trainer.lr"),
    "unknown attribute column": (["train", "--config", "{config}", "data.attributes={mood: [good, bad]}"], "mood"),
    "unknown prior": (["train", "--config", "{config}", "prior.name=flo"], "did you mean 'flow'"),
    "wrong type": (["train", "--config", "{config}", "model.latent_dim=many"], "latent_dim"),
    "malformed override": (["train", "--config", "{config}", "objective"], "must look like"),
    "no config": (["train"], "--config"),
    "missing config": (["train", "--config", "text/tatoeba_lstm_va"], "did you mean 'text/tatoeba_lstm_vae'"),
    "nothing to resume": (["train", "--config", "{config}", "--resume", "out={tmp}/none"], "nothing to resume"),
    "missing corpus": (["train", "--config", "{config}", "data.train={tmp}/nowhere.txt", "out={tmp}/a"], "nowhere.txt"),
    "no model": (["sample", "--model", "everyda"], "did you mean 'everyday'"),
    "no such hub model": (["sample", "--model", "nobody/nothing"], "could not get 'nobody/nothing'"),
    "empty folder": (["sample", "--model", "{tmp}"], "no config.json"),
    "empty sentence": (["reconstruct", "--model", "{model}", "I like tea.", ""], "sentence 2 is empty"),
    "endless sentence": (["reconstruct", "--model", "{model}", "x" * 100_000], "100,000 characters"),
    "ten thousand words": (["reconstruct", "--model", "{model}", "tea " * 2_500], "tokens"),
    "missing file": (["encode", "--model", "{model}", "--file", "{tmp}/nowhere.txt"], "nowhere.txt"),
    "empty file": (["encode", "--model", "{model}", "--file", "{tmp}/empty.txt"], "empty"),
    "empty line": (["encode", "--model", "{model}", "--file", "{tmp}/gap.txt"], "2"),
    "long line": (["encode", "--model", "{model}", "--file", "{tmp}/long.txt"], "100,000"),
    "not UTF-8": (["encode", "--model", "{model}", "--file", "{tmp}/latin.txt"], "UTF-8"),
    "missing column": (["encode", "--model", "{model}", "--file", "{tmp}/table.csv", "--column", "text"], "sentence"),
    "three ends": (["interpolate", "--model", "{model}", "I like tea.", "We see rain.", "You see."], "two sentences"),
    "unknown path": (["interpolate", "--model", "{model}", "--path", "slrp", "I like tea.", "We see."], "did you mean 'slerp'"),
    "evaluate: data and sentences": (["evaluate", "--data", "ptb", "I like tea."], "--data ptb says what to measure on: leave out sentences"),
    "evaluate: data and file": (["evaluate", "--data", "ptb", "--file", "{tmp}/gap.txt", "--column", "x"], "leave out --file, --column"),
    "evaluate: data, file and compare": (["evaluate", "--compare", "--data", "ptb", "--file", "{tmp}/gap.txt", "a", "b"], "leave out --file"),
    "evaluate: a model beside those compared": (["evaluate", "--compare", "--data", "ptb", "--model", "{model}", "a", "b"], "leave out --model"),
    "evaluate: resamples of nothing": (["evaluate", "--model", "{model}", "--resamples", "50", "I like tea."], "only --compare draws resamples, for its intervals: leave out --resamples"),
    "evaluate: measures of edits": (["evaluate", "--edits", "e.jsonl", "--samples", "9", "--limit", "3", "--only", "bleu"], "leave out --samples, --limit, --only"),
    "evaluate: a model of edits": (["evaluate", "--edits", "e.jsonl", "--model", "{model}", "I like tea."], "leave out sentences, --model"),
    "evaluate: judges of no edits": (["evaluate", "--model", "{model}", "--judge", "j", "I like tea."], "there is no --edits: leave out --judge"),
    "evaluate: samples without data": (["evaluate", "--model", "{model}", "--generate", "9", "--split", "test", "I like tea."], "there is no --data: leave out --split, --generate"),
    "evaluate: a card of a part": (["evaluate", "--data", "ptb", "--card", "--limit", "9"], "a card holds one model's whole evaluation: leave out --limit"),
    "evaluate: a card of some measures": (["evaluate", "--data", "ptb", "--card", "--only", "bleu", "--compare", "a", "b"], "whole evaluation: leave out --only, --compare"),
    "evaluate: edits that are not there": (["evaluate", "--edits", "{tmp}/nowhere.jsonl", "--judge", "j", "--fluency", "ptb", "--references", "r.txt", "--seed", "3", "--json"], "nowhere.jsonl"),
    "npz of text": (["sample", "--model", "{model}", "--out", "{tmp}/x.npz"], ".npz"),
    "unwritable": (["sample", "--model", "{model}", "--out", "{tmp}/no/such/x.txt"], "could not write"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_sentence(case, run, workplace, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "gap.txt").write_text("I like tea.\n\nWe see rain.\n")
    (tmp_path / "long.txt").write_text("x" * 100_000 + "\n")
    (tmp_path / "latin.txt").write_bytes("I like café.\n".encode("latin-1"))
    (tmp_path / "table.csv").write_text("sentence,label\nI like tea.,a\n")
    words, expected = BAD[case]
    places = {"config": workplace / "config.yaml", "model": workplace / "run", "tmp": tmp_path}
    filled = []
    for word in words:
        for name, place in places.items():
            word = word.replace("{" + name + "}", str(place))
        filled.append(word)
    if words[0] == "train" and not any(w.startswith("out=") for w in filled):
        filled.append(f"out={tmp_path / 'out'}")
    code, _, err = run(*filled)
    assert code != 0
    assert err.startswith("error: ") and len(err.strip().splitlines()) == 1, err
    assert expected in err
    assert "Traceback" not in err


@pytest.mark.parametrize("harm", ["truncated", "other type", "unknown key", "missing weight", "no tokenizer"])
def test_broken_checkpoints(harm, run, workplace, tmp_path):
    from safetensors.torch import load_file, save_file

    shutil.copytree(workplace / "run" / "model", tmp_path / "m")
    config, weights = tmp_path / "m" / "config.json", tmp_path / "m" / "model.safetensors"
    content = json.loads(config.read_text())
    if harm == "truncated":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif harm == "other type":
        config.write_text(json.dumps({**content, "model_type": "bert"}))
    elif harm == "unknown key":
        config.write_text(json.dumps({**content, "latent_dims": 3}))
    elif harm == "missing weight":
        tensors = load_file(weights)
        tensors.pop("head.mean.weight")
        save_file(tensors, weights, metadata={"format": "pt"})
    else:
        (tmp_path / "m" / "tokenizer.json").unlink()
    code, _, err = run("sample", "--model", tmp_path / "m")
    said = {"truncated": "damaged", "other type": "'bert'", "unknown key": "latent_dim", "missing weight": "head.mean.weight", "no tokenizer": "tokenizer.json"}
    assert code == 1 and said[harm] in err and len(err.strip().splitlines()) == 1, err


def test_full_disk_leaves_the_old_file(run, workplace, tmp_path):
    """/dev/full refuses every byte; the real thing for a folder is tested with the files themselves."""
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    target = tmp_path / "out.txt"
    target.write_text("old\n")
    (tmp_path / ".out.txt.new").symlink_to("/dev/full")
    code, _, err = run("sample", "--model", workplace / "run", "--out", target)
    assert code == 1 and "could not write" in err
    assert target.read_text() == "old\n"


def test_seed_leaves_the_global_generator_alone(workplace):
    from apps.catalog import open_space

    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    open_space(str(workplace / "run"), device="cpu").sample(2, seed=9)
    assert torch.equal(torch.rand(1), expected)


def test_stdin_lines_end_at_line_ends_only(run, workplace, tmp_path):
    (tmp_path / "in.txt").write_bytes("\ufeffI like\u2028tea.\r\nWe see rain.\n".encode())
    with open(tmp_path / "in.txt") as file:
        code, out, _ = run("encode", "--json", "--model", workplace / "run", stdin=file)
    assert code == 0
    assert [json.loads(line)["sentence"] for line in out.strip().split("\n")] == ["I like\u2028tea.", "We see rain."]


def test_sampled_codes_do_not_repeat_their_noise(run, workplace, tmp_path):
    (tmp_path / "in.txt").write_text("I like tea.\n" * 2050)
    assert run("encode", "--sample", "--model", workplace / "run", "--file", tmp_path / "in.txt", "--out", tmp_path / "z.npz")[0] == 0
    z = np.load(tmp_path / "z.npz")["z"]
    assert not np.allclose(z[:2], z[2048:])


def test_a_model_opens_from_inside_its_folder(run, workplace, monkeypatch):
    monkeypatch.chdir(workplace / "run" / "model")
    assert run("sample", "--model", ".")[0] == 0


def test_resume_takes_up_the_same_tokenizer_and_refuses_other_data(run, workplace, tmp_path):
    shutil.copytree(workplace / "run", tmp_path / "run")
    (tmp_path / "more.txt").write_text("\n".join(LINES * 4) + "\nThey see the sea.\n")
    config = (workplace / "config.yaml").read_text().replace(str(workplace / "train.txt"), str(tmp_path / "more.txt"))
    (tmp_path / "config.yaml").write_text(config)
    (workplace / "train.txt").rename(tmp_path / "kept.txt")
    try:
        shutil.copy(tmp_path / "more.txt", workplace / "train.txt")
        code, _, err = run("train", "--config", workplace / "config.yaml", f"out={tmp_path / 'run'}", "--resume")
    finally:
        (tmp_path / "kept.txt").replace(workplace / "train.txt")
    assert code == 1 and "corpus:" in err and "sentences" in err
