"""The counting judge: scikit-learn's own numbers, without scikit-learn."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from textae.classifiers.features import char_ngrams, word_ngrams
from textae.classifiers.ngram import NgramClassifier, ngrams

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("values", [("bad", "good"), ("bad", "good", "plain")])
@pytest.mark.parametrize("chars", [None, (2, 3)])
def test_probabilities_equal_those_of_scikit_learn(values, chars, make_labeled):
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    texts, labels = make_labeled(150, 1, values)
    judge = NgramClassifier.train(texts, labels, chars=chars, min_count=2, C=3.0)
    reference = make_pipeline(
        TfidfVectorizer(analyzer=lambda text: ngrams(text, 2, chars), sublinear_tf=True, min_df=2),
        LogisticRegression(C=3.0, max_iter=1000),
    ).fit(texts, labels)
    assert judge.vocabulary == reference[0].get_feature_names_out().tolist()
    asked = [*make_labeled(40, 2, values)[0], "so so so warm", "quite unheard of", "The warm, warm, cold lamp!"]
    assert np.allclose(judge.probabilities(asked), reference.predict_proba(asked), atol=1e-5)


def test_only_the_most_frequent_ngrams_are_kept():
    texts = ["red red boat", "red boat", "red kite", "kite"]
    judge = NgramClassifier.train(texts, ["a", "a", "b", "b"], min_count=1, max_features=3)
    assert judge.vocabulary == ["boat", "kite", "red"]  # in 2, 2 and 3 sentences; "red boat", in 2, comes later
    with pytest.raises(ValueError, match="no n-gram occurs in 5 sentences"):
        NgramClassifier.train(texts, ["a", "a", "b", "b"], min_count=5)


def test_a_sentence_of_unknown_words_gets_the_bias_alone(make_labeled):
    judge = NgramClassifier.train(*make_labeled(50, 1))
    expected = 1 / (1 + np.exp(-judge.bias_M[0]))
    assert judge.probabilities(["zebra quagga"])[0, 1] == pytest.approx(expected)


def test_characters_know_endings_of_unseen_words():
    verbs = ["walk", "talk", "jump", "climb", "paint", "bark", "push", "turn"]
    texts = [f"they {v}ed" for v in verbs] + [f"they {v}ing" for v in verbs]
    judge = NgramClassifier.train(texts, ["past"] * 8 + ["now"] * 8, chars=(2, 4))
    assert judge.predict(["they mended", "they mending"]) == ["past", "now"]


def test_ngrams_of_words_stay_apart_from_those_of_characters():
    text = "a wa was"
    assert word_ngrams(text, 3) == ["a", "wa", "was", "a wa", "wa was", "a wa was"]
    assert not set(word_ngrams(text)) & set(char_ngrams(text, 1, 5))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"longest": 0}, "longest is 0"),
        ({"min_count": 0}, "min_count is 0"),
        ({"max_features": 0}, "max_features is 0"),
        ({"chars": (4, 3)}, "chars is"),
        ({"C": 0.0}, "C is 0"),
    ],
)
def test_settings_that_cannot_be_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        NgramClassifier.train(["a", "b"], ["x", "y"], **settings)


def test_files_must_belong_together(make_labeled, tmp_path):
    judge = NgramClassifier.train(*make_labeled(50, 1))
    judge.save(tmp_path / "judge")
    vocabulary = tmp_path / "judge" / "vocabulary.json"
    vocabulary.write_text(vocabulary.read_text().replace('"warm"', '"lamp"'))
    with pytest.raises(ValueError, match="no list of different words"):
        NgramClassifier.load(tmp_path / "judge")
    vocabulary.write_text('["warm"]')
    with pytest.raises(ValueError, match="idf is float32 of shape .* it must be float32 of shape \\(1,\\)"):
        NgramClassifier.load(tmp_path / "judge")
    vocabulary.unlink()
    with pytest.raises(ValueError, match="vocabulary.json is missing"):
        NgramClassifier.load(tmp_path / "judge")


@pytest.mark.parametrize("kind", ["ngram", "bag"])
def test_asking_needs_neither_scikit_learn_nor_torch(kind, classifiers, tmp_path):
    classifiers[kind].save(tmp_path / "judge")
    code = (
        "import sys; from textae.classifiers import load_classifier; "
        f"print(load_classifier({str(tmp_path / 'judge')!r}).predict(['The soup was so warm today.']), "
        "sorted({'sklearn', 'torch', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "['good'] []", done.stdout + done.stderr
