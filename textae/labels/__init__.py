"""Attributes of sentences that nobody wrote down: tense by rules, sentiment by a lexicon. No model of ours is needed.

`LABELERS` maps the name of an attribute to its labeler: called with a list of sentences, it gives a value, or None, for
each; `values` lists all it gives. Loading this package loads no tables; labelling does, and needs the extra `labels`.
"""

from textae.labels import sentiment, tense
from textae.labels.labeler import Labeler

LABELERS = {
    "tense": Labeler(tense.VALUES, "lemminflect", tense.tenses),
    "sentiment": Labeler(sentiment.VALUES, "vaderSentiment", sentiment.sentiments),
}
