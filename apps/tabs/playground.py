"""The tab where a visitor trains an autoencoder: the browser does all of it, the server only hands out the page."""

import gradio as gr

from apps.lab import lab
from apps.shelf import Shelf

LEAD = """Two small networks learn the same points before your eyes: each squeezes three numbers into two, and unfolds them again.
Choose a shape or draw one, point at a dot to follow it through, and drag the history back to see how the code found its form."""
MORE = """
- **AE** is an autoencoder: its only cost is the squared error between input and output. **VAE** reads every point as a small cloud
  (the ellipses, one σ wide), decodes a draw from it, and also pays the KL divergence from a standard normal, times the weight you
  set. A large weight pulls all codes into one cloud and the output into one point: the posterior has collapsed.
- **Trails** run along −∂L/∂z, the way in which the loss would move each code, computed exactly. They are long where the network is
  still wrong.
- **The net** is a square grid of the code's plane, decoded: the whole surface that the decoder can reach. A sphere does not fit on
  it without a tear, and linked rings not without a cut.
- Your own curve goes from left to right and up as you draw it, and from the front to the back as you go on.
- All of it is computed on your device, in JavaScript of ours: dense layers, gradients by hand, Adam. Nothing is sent anywhere. The
  shapes *circle*, *roller*, *sin* and *twisted cubic*, the trails and the three linked views follow "An Interactive Introduction to
  Autoencoders" (Bertucci, VISxAI 2021).
"""


def build(shelf: Shelf) -> None:
    """Add the tab's components; it needs no model, so the shelf may be empty, and it has no endpoint."""
    gr.Markdown(LEAD, elem_classes="ta-lead")
    with gr.Accordion("More", open=False, elem_classes="ta-fold"):
        gr.Markdown(MORE)
    lab("playground")
