"""`textae import` and `textae export`: older checkpoints in, ONNX graphs out. The command line and what only images need."""

from pathlib import Path
from typing import Annotated, Any

import typer

IMAGES = """# An image autoencoder in ONNX

`encoder.onnx` reads `pixel_values` (batch, channels, height, width) and gives `mean` and, of a VAE, `logvar` of the code; `decoder.onnx`
reads `latents` and, where `onnx.json` lists attributes, `attributes` (batch, number of attributes), the place of each value in its list
or -1, and gives the expected pixels. Pixels are float32 from 0 to 1; batches may have any size.
"""


def import_(
    checkpoint: Annotated[Path, typer.Argument(help="Folder of a run of shentianxiao/text-autoencoders: vocab.txt and model.pt.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the model goes: a new folder.")],
) -> None:
    """Read a checkpoint of text-autoencoders (DAE, VAE, AAE) as a model that every other command takes.

    textae import checkpoints/yelp/daae -o models/daae && textae reconstruct -m models/daae "the food is good ."
    """
    from textae.interchange.text_autoencoders import read_checkpoint

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{str(out)!r} exists and is not empty: choose a new folder")
    space = read_checkpoint(checkpoint)
    space.save_pretrained(out)
    config = space.model.config
    typer.echo(
        f"{out}: {config.num_layers}-layer LSTM, {config.vocab_size:,} words, latent_dim {config.latent_dim}. "
        f"It takes text as it was trained on, split at blanks. Try: textae sample --model {out} --num 5"
    )


def export(
    model: Annotated[str, typer.Argument(help="Bundled name, folder or Hub id, of sentences, documents or images.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the graphs go: a new folder, or one of an earlier export.")],
) -> None:
    """Write a model's encoder and decoder as ONNX graphs, compared with PyTorch in onnxruntime: textae export everyday -o onnx."""
    about = export_model(model, out)
    gaps = about["greatest_difference"]
    typer.echo(f"{out}: encoder.onnx and decoder.onnx, within {gaps['encoder']:.1g} and {gaps['decoder']:.1g} of PyTorch; README.md says how to run them")


def export_model(model: str, out: Path) -> dict[str, Any]:
    """Write the graphs of any model into a folder; returns what its `onnx.json` says.

    Raises:
        ValueError: The packages are missing, the folder holds other things, or the model cannot be exported as it computes.
    """
    from apps.catalog import modality_of, open_space
    from textae.core.files import whole_folder
    from textae.interchange.onnx import ABOUT, check_packages, export_sentences, export_topics

    check_packages()
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / ABOUT).is_file())):
        raise ValueError(f"{str(out)!r} holds other things than an export: choose a new folder")
    kind = modality_of(model).__name__.rpartition(".")[2]
    write = {"text": export_sentences, "documents": export_topics, "images": export_images}[kind]
    space = open_space(model, "cpu")
    with whole_folder(out) as folder:
        return write(space, folder)


def export_images(space: Any, folder: Path) -> dict[str, Any]:
    """Write `encoder.onnx`, `decoder.onnx` and `onnx.json` of a model of images."""
    import torch

    from textae.interchange.onnx import Encoder, Function, export_graph, write_about

    model, random = space.model, torch.Generator().manual_seed(0)
    config, names = model.config, ("latents", *(["attributes"] if model.config.decoder_attributes else []))
    pixels = [torch.rand(n, config.channels, config.height, config.width, generator=random) for n in (2, 1, 5)]
    codes = []
    for n in (2, 1, 5):
        with torch.no_grad():
            codes.append({"latents": model.prior.sample(n, 1.0)})
        if config.decoder_attributes:
            codes[-1]["attributes"] = torch.stack([torch.randint(-1, len(v), (n,), generator=random) for _, v in sorted(config.decoder_attributes.items())], 1)
    batch = {0: "batch"}
    gaps = {
        "encoder": export_graph(Encoder(model, ("pixel_values",)).eval(), [{"pixel_values": x} for x in pixels], {"pixel_values": batch}, folder / "encoder.onnx"),
        "decoder": export_graph(Function(model, model.generate, names, "pixels").eval(), codes, dict.fromkeys(names, batch), folder / "decoder.onnx"),
    }
    about = {
        "kind": "images", "latent_dim": config.latent_dim, "posterior": config.posterior, "prior": config.prior, "channels": config.channels,
        "height": config.height, "width": config.width, "attributes": dict(sorted(config.decoder_attributes.items())), "greatest_difference": gaps,
    }  # fmt: skip
    write_about(folder, about, IMAGES)
    return about
