"""Editing of sentences: the whole way from a sentence and a wish to an `Edit`; editing of codes alone is `textae.core.editing`."""

from textae.editing.edit import METHODS, Edit, edit_sentences
from textae.editing.readers import load_readers, save_readers

__all__ = ["METHODS", "Edit", "edit_sentences", "load_readers", "save_readers"]
