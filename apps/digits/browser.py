"""What the browser is given of the models whose codes are a plane, so that it encodes and decodes by itself."""

import json
from typing import Any

from apps.digits.recorded import MAPS, codes_on_map
from apps.digits.verbs import digit_models
from apps.shelf import Shelf
from vision.view.decoder import export_decoder, export_encoder

TITLES = {"mnist-ae": "AE", "mnist-vae": "VAE", "mnist-aae": "AAE"}
MOST = 3  # maps beside each other


def map_models(shelf: Shelf) -> list[str]:
    """Models for the maps: those that whoever serves the page added, then the bundled AE, VAE and AAE; at most `MOST`."""
    flat = [name for name in digit_models(shelf) if shelf.summary(name)["latent_dim"] == 2]
    added = [name for name in flat if name not in MAPS and _runs_in_a_browser(shelf, name)]
    return [*added, *(name for name in MAPS if name in flat)][:MOST]


def _runs_in_a_browser(shelf: Shelf, name: str) -> bool:
    model = shelf.open(name, "images").model
    try:
        export_encoder(model)
        return not export_decoder(model)["inputs"]["attributes"]
    except ValueError:  # a family or a code that the scripts do not know
        return False


def title(name: str) -> str:
    """What a map is called: "VAE", or the model's own name."""
    return TITLES.get(name, name)


def weights(shelf: Shelf, name: str) -> dict[str, Any]:
    """Encoder, decoder and recorded codes of a map's model, ready for JSON.

    Weights go as the model's own numbers: in 16 bits where it was saved so, which loses nothing.
    """
    space = shelf.open(name, "images")
    precision = "float16" if _is_half(space.model) else "float32"
    return {
        "name": name,
        "title": title(name),
        "encoder": export_encoder(space.model, precision),
        "decoder": export_decoder(space.model, precision),
        "codes": codes_on_map(space),
    }


def _is_half(model: Any) -> bool:
    """Whether every weight is a number of 16 bits, whatever type holds it."""
    return all(bool((p.detach().half().float() == p.detach().float()).all()) for p in model.parameters())


def as_script(shelf: Shelf, name: str) -> str:
    """`weights` as a script for a page without a server, which opens from a disk too: `fetch` does not work there."""
    packed = json.dumps(weights(shelf, name), allow_nan=False).replace("<", "\\u003c")
    return f"(window.textaeWeights ||= {{}})[{json.dumps(name)}] = {packed};\n"
