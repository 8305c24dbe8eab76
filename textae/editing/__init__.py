"""Editing of sentences: the whole way from a sentence and a wish to an `Edit`; editing of codes alone is `textae.core.editing`."""

from textae.editing.edit import METHODS, Edit
from textae.editing.readers import load_readers, save_readers
from textae.editing.sentences import edit_sentences

__all__ = ["METHODS", "Edit", "edit_sentences", "load_readers", "save_readers"]
