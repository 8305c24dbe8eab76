"""Models of sentences, one family a file."""

from importlib import import_module

# name in configs: (module, config class, model class); imported when asked for, so that listing names costs nothing
MODELS = {
    "rnn": ("textae.models.rnn", "RNNVAEConfig", "RNNVAE"),
    "transformer": ("textae.models.transformer", "TransformerVAEConfig", "TransformerVAE"),
    "pretrained": ("textae.models.pretrained", "PretrainedVAEConfig", "PretrainedVAE"),
    "seq2seq": ("textae.models.pretrained", "Seq2SeqVAEConfig", "Seq2SeqVAE"),
    "rnn_bos": ("textae.interchange.bos_rnn", "BosRNNVAEConfig", "BosRNNVAE"),
    "lm": ("textae.models.lm", "SentenceLMConfig", "SentenceLM"),
}


def model_classes(name: str) -> tuple[type, type]:
    """The config and model class of a name in `MODELS`."""
    module, config, model = MODELS[name]
    return getattr(import_module(module), config), getattr(import_module(module), model)
