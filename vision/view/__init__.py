"""The offline page of a model: `write_view` writes it, `record_history` films a training for it.

Python: `page` gathers and writes, `decoder` exports weights, `history` looks at codes while a model learns.
JavaScript, all of it our own: `core`, `decoder`, `toy` (the shapes' network), `plane`, `cube`, `pixels`, `timeline` (drawing),
`images`, `shapes` (the two halves), `main`.
"""
