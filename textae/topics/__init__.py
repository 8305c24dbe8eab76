"""Documents as bags of words: vocabulary, batches, the latent space of topics, and how topics are measured.

The models themselves are in `textae.models.topics`; importing this package loads nothing heavy.
"""

from importlib import import_module

# name in configs: (module, config class, model class); a table of its own, since these models read no sentences
MODELS = {
    "topics": ("textae.models.topics", "TopicModelConfig", "TopicModel"),
}


def model_classes(name: str) -> tuple[type, type]:
    """The config and model class of a name in `MODELS`."""
    module, config, model = MODELS[name]
    return getattr(import_module(module), config), getattr(import_module(module), model)
