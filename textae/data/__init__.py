"""Sentences before they are tensors: corpora, tokenizers, corruption, and one file for each named data set.

`DATASETS` maps the name of a data set, as a config writes it, to a function of plain options that returns its splits:
`{"train": Corpus, "valid": Corpus, ...}`. To add a data set, write one file here and one line in the table.
Importing this package loads neither `datasets` nor `torch`; reading a corpus does.
"""

from textae.data import corpus, ptb, sst, tatoeba, yelp

DATASETS = {
    "files": corpus.load_files,
    "hub": corpus.load_hub,
    "tatoeba": tatoeba.load,
    "ptb": ptb.load,
    "yelp": yelp.load,
    "sst": sst.load,
}
