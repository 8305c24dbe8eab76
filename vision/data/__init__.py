"""Images before they are tensors: files, corruption, transforms, and one file for each named data set.

`DATASETS` maps the name of a data set, as a config writes it, to a function of plain options that returns its splits:
`{"train": ImageSet, "valid": ImageSet, ...}`. To add a data set, write one file here and one line in the table.
Importing this package loads no framework; reading a set does, where it must.
"""

from vision.data import digits, faces, files, mnist, omniglot

DATASETS = {
    "digits": digits.load,
    "mnist": mnist.load,
    "faces": faces.load,
    "omniglot": omniglot.load,
    "files": files.load_files,
    "hub": files.load_hub,
}
