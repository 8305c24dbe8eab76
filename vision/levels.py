"""An MLP autoencoder as pairs of layers, each the way up from a level of units and the way back down to it.

Shapes: B examples, F units of a level.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from vision.models.mlp import MLPAutoencoder


@dataclass(frozen=True)
class Level:
    """A layer of the encoder and the layer of the decoder that undoes it.

    Attributes:
        index: From 0, at the pixels.
        is_code: Whether it yields the code.
        encoder, activation: The way up; `encoded` is the activation's name.
        decoder: The linear layer down; None where weights are tied.
        decoder_bias: Its bias.
        undo: The activation of the way down; `link` is its name.
        below: The name of the activation of its inputs, or "pixels".
    """

    index: int
    is_code: bool
    encoder: nn.Linear
    activation: nn.Module
    encoded: str
    decoder: nn.Linear | None
    decoder_bias: nn.Parameter
    undo: Callable[[Tensor], Tensor]
    link: str
    below: str


def levels_of(model: MLPAutoencoder, start: int, stop: int) -> list[Level]:
    """All levels below `stop` (0: and the code's), once it is clear that the model can be pretrained from `start` on.

    Raises:
        ValueError: The model is no MLP, its decoder does not undo its encoder, or there are no such layers.
    """
    if not isinstance(model, MLPAutoencoder):
        raise ValueError(f"layer-by-layer pretraining is for MLP autoencoders, not for {type(model).__name__}")
    config = model.config
    if config.categories or config.decoder_attributes or config.cluster_heads:
        raise ValueError("a pretrained decoder reads the code alone: leave out categories, attributes and cluster_heads")
    if config.mirrored_dims != config.hidden_dims[::-1]:
        raise ValueError(f"decoder_dims {config.mirrored_dims} do not mirror hidden_dims {config.hidden_dims}: leave decoder_dims out")
    if model.likelihood.per_pixel != 1:
        raise ValueError(f"likelihood {config.likelihood} has {model.likelihood.per_pixel} outputs a pixel; pretraining needs one")
    num = len(config.hidden_dims)
    if not start < (stop or num + 1) <= num + 1:
        raise ValueError(f"start_layer is {start} and stop_layer {stop}; the model has layers 0 to {num}, so 0 <= start < stop <= {num + 1}")
    up = _names(config.activation, num)
    down = up[::-1] if config.decoder_activation is None else _names(config.decoder_activation, num)

    def pixels(outputs: Tensor) -> Tensor:
        return model.likelihood.mean(outputs.view(-1, config.channels, config.height, config.width)).flatten(1)

    levels = []
    for k in range(stop or num + 1):
        back = num - k  # the decoder's layers count from the code
        decoder = None if config.tied else model.decoder[back] if k else model.output
        bounded = config.likelihood != "gaussian" or config.output == "sigmoid"
        levels.append(
            Level(
                index=k, is_code=k == num,
                encoder=model.encoder[k] if k < num else model.posterior_head.mean,
                activation=model.activations[k] if k < num else model.code_shape,
                encoded=up[k] if k < num else config.code_activation,
                decoder=decoder, decoder_bias=model.decoder_biases[back] if config.tied else decoder.bias,
                undo=model.decoder_activations[back] if k else pixels,
                link=down[back] if k else "sigmoid" if bounded else "linear",
                below=up[k - 1] if k else "pixels",
            )
        )  # fmt: skip
    return levels


def _names(given: str | list[str], num: int) -> list[str]:
    return [given] * num if isinstance(given, str) else list(given)
