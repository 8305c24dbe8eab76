"""Handwritten digits on the page: pictures read as MNIST's (`picture`), what the server does with them (`verbs`, `endpoints`), what the
browser gets to do the rest (`browser`), and what was recorded of test digits (`recorded`)."""
