"""Guides of the tiny models, their maps made once."""

import pytest

from apps.chat.guide import Guide
from apps.chat.walk import Walk


@pytest.fixture(scope="session")
def told(told_space) -> Guide:
    """Of a model that is told tense and sentiment, with readers."""
    return Guide.of(told_space)


@pytest.fixture(scope="session")
def plain(tiny_space) -> Guide:
    """Of a model without attributes."""
    return Guide.of(tiny_space)


@pytest.fixture
def begun(told) -> Walk:
    """A walk of one sentence."""
    return told.answer(Walk("told"), "We like tea.")
