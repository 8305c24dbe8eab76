"""Pictures of what an autoencoder does, one kind a file; each function returns a matplotlib Figure, `save` writes it.

`style`: colors, sizes and saving. `latent`: maps of the code. `rows`: images in rows. `curves`: lines.
`structure`: the layers. `features`: what units see. None of them trains, measures or reads data sets.
"""
