"""Autoencoders of documents as bags of words: a deep encoder of counts, a code of topics, a multinomial over the vocabulary.

One model, whose settings are NVDM (Miao et al. 2016: a Gaussian code), ProdLDA and NVLDA (Srivastava & Sutton 2017: shares of
topics, whose prior approximates a Dirichlet), and the deep autoencoder of Hinton & Salakhutdinov 2006 (a decoder with layers).

Shapes: B documents, V words of the vocabulary, D latent dimensions, each a topic, M words of a list.
"""

import math
from dataclasses import field
from typing import Any

import torch
from huggingface_hub.dataclasses import strict
from torch import Tensor, nn
from torch.nn.functional import log_softmax
from transformers import AutoConfig, AutoModel

from textae.core.autoencoder import Autoencoder, AutoencoderConfig
from textae.core.config import choose
from textae.core.families import make_head
from textae.core.latent import BatchNorm, DiagonalGaussian, PointPosterior, Posterior, clamp_logvar

ACTIVATIONS = {"relu": nn.ReLU, "softplus": nn.Softplus, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "gelu": nn.GELU}
READS = {"counts": lambda counts: counts, "log_counts": torch.log1p, "presence": lambda counts: (counts > 0).to(counts.dtype)}
CODES = ("gaussian", "simplex")
MIXINGS = ("product", "mixture")


@strict
class TopicModelConfig(AutoencoderConfig):
    """Config of `TopicModel`. NVDM is code=gaussian; ProdLDA is code=simplex, dirichlet=1, batch_norm=true.

    Attributes:
        vocab_size: V.
        latent_dim: D, the number of topics.
        reads: What the encoder is given: "counts", "log_counts" (log(1 + n), where documents differ much in length) or
            "presence" (0 or 1, which is what layer-wise pretraining takes).
        hidden_dims: Widths of the encoder's hidden layers; empty: the code is one layer away from the counts.
        decoder_dims: Of the decoder's; empty: a topic is a row of one matrix, as in NVDM and ProdLDA.
        activation: A name in `ACTIVATIONS`.
        code: "gaussian": the decoder reads z. "simplex": it reads the shares softmax(s z), a logistic normal.
        dirichlet: α of the symmetric Dirichlet over shares that the prior of a simplex code approximates (Laplace, Srivastava &
            Sutton 2017, sec. 3.2): s² = (1/α)(1 - 1/D). The smaller, the fewer topics in a document. 0: s = 1.
        mixing: "product": words have softmax(weights · shares), a product of experts. "mixture": each topic is a
            distribution, and these are averaged, as in LDA; needs a simplex code and no decoder_dims.
        batch_norm: Whether posterior means, log variances and (of a product) the words' logits are normalized over the batch:
            against topics that all become the same one (their sec. 4.1).
        dropout: Rate at which hidden units of both halves and, of a simplex code, topics are dropped in training.
    """

    model_type = "textae_topics"
    vocab_size: int = 2000
    latent_dim: int = 30
    reads: str = "counts"
    hidden_dims: list[int] = field(default_factory=lambda: [256])
    decoder_dims: list[int] = field(default_factory=list)
    activation: str = "relu"
    code: str = "gaussian"
    dirichlet: float | int = 0.0
    mixing: str = "product"
    batch_norm: bool = False
    dropout: float | int = 0.0

    @property
    def scale(self) -> float:
        """s: what the logits of the shares have for each unit of z, which is standard normal under the prior."""
        return math.sqrt((1 - 1 / self.latent_dim) / self.dirichlet) if self.dirichlet else 1.0

    def validate_layers(self) -> None:
        """Names and widths; called by `strict` after the types are checked."""
        choose(ACTIVATIONS, self.activation, "activation")
        choose(READS, self.reads, "way to read (reads)")
        choose(dict.fromkeys(CODES), self.code, "code")
        choose(dict.fromkeys(MIXINGS), self.mixing, "mixing")
        for name, dims in (("hidden_dims", self.hidden_dims), ("decoder_dims", self.decoder_dims)):
            if any(d < 1 for d in dims):
                raise ValueError(f"{name} is {dims}; every layer has at least one unit")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; it must be from 0 to below 1")

    def validate_topics(self) -> None:
        """Combinations that cannot be; called by `strict`."""
        if self.categories or self.attributes:
            raise ValueError("a model of documents has neither categories nor attributes: leave them out")
        if self.dirichlet < 0:
            raise ValueError(f"dirichlet is {self.dirichlet}; the α of a Dirichlet is above 0, and 0 stands for none")
        if self.code == "simplex" and self.latent_dim < 2:
            raise ValueError("shares of one topic are always 1: set latent_dim to at least 2, or code=gaussian")
        if self.code != "simplex" and self.dirichlet:
            raise ValueError("dirichlet is a prior of shares: set code=simplex, or leave it out")
        if self.mixing == "mixture" and (self.code != "simplex" or self.decoder_dims):
            raise ValueError("a mixture of topics has shares as weights and a row for each: set code=simplex and leave decoder_dims out")


class TopicModel(Autoencoder):
    """Counts of words to a code of topics and back to a distribution over words.

    Attributes:
        encoder: Hidden layers.
        head: The code's layer.
        decoder: Hidden layers; empty in the published models.
        output: The words' layer; its weight is (V, D) without hidden layers, a column for each topic.
    """

    config_class = TopicModelConfig
    main_input_name = "counts"

    def __init__(self, config: TopicModelConfig):
        super().__init__(config)
        width = [config.vocab_size, *config.hidden_dims]
        self.encoder = nn.ModuleList(nn.Linear(a, b) for a, b in zip(width[:-1], width[1:], strict=True))
        self.head = make_head(width[-1], config)
        width = [config.latent_dim, *config.decoder_dims]
        self.decoder = nn.ModuleList(nn.Linear(a, b) for a, b in zip(width[:-1], width[1:], strict=True))
        # A normalized output has its bias there, and the topics of a mixture are distributions of their own.
        biased = config.mixing == "product" and not config.batch_norm
        self.output = nn.Linear(width[-1], config.vocab_size, bias=biased)
        self.activation, self.dropout = ACTIVATIONS[config.activation](), nn.Dropout(config.dropout)
        self.mean_norm = BatchNorm(config.latent_dim) if config.batch_norm else None
        self.logvar_norm = BatchNorm(config.latent_dim) if config.batch_norm and config.posterior == "gaussian" else None
        self.encoder_modules = ("encoder", "head", *(n for n in ("mean_norm", "logvar_norm") if getattr(self, n) is not None))
        self.word_norm = BatchNorm(config.vocab_size) if config.batch_norm and config.mixing == "product" else None
        self.post_init()

    def encode(self, counts: Tensor, **_: Any) -> Posterior:
        """q(z|x) of counts, float, shape (B, V)."""
        x = READS[self.config.reads](counts)
        for layer in self.encoder:
            x = self.dropout(self.activation(layer(x)))
        posterior = self.head(x)
        if self.mean_norm is None:
            return posterior
        if isinstance(posterior, PointPosterior):
            return PointPosterior(self.mean_norm(posterior.mean))
        return DiagonalGaussian(self.mean_norm(posterior.mean), clamp_logvar(self.logvar_norm(posterior.logvar)))

    def shares(self, z: Tensor) -> Tensor:
        """What the decoder reads, (B, D): shares of topics, which sum to one, or of a Gaussian code z itself."""
        return (self.config.scale * z).softmax(-1) if self.config.code == "simplex" else z

    def word_log_probs(self, shares: Tensor) -> Tensor:
        """log p(word | shares), shape (B, V), float32."""
        if self.config.mixing == "mixture":
            # 1e-30: below it a word of no topic would cost an infinity in float32
            return (shares.float() @ self.output.weight.float().T.softmax(-1)).clamp_min(1e-30).log()
        return log_softmax(self.logits(shares).float(), -1)

    def logits(self, shares: Tensor) -> Tensor:
        """Of the words of a product, before their softmax, shape (B, V)."""
        x = shares
        for layer in self.decoder:
            x = self.dropout(self.activation(layer(x)))
        x = self.output(x)
        return x if self.word_norm is None else self.word_norm(x)

    def nll(self, z: Tensor, counts: Tensor, **_: Any) -> tuple[Tensor, Tensor]:
        """-Σ n log p(word|z) in nats for each document, and its number of counted words.

        That is the likelihood of the words in their order; the number of orders of a bag, which no model changes, is left
        out, as in all published figures.
        """
        shares = self.shares(z)
        if self.config.code == "simplex":
            shares = self.dropout(shares)
        return -(counts * self.word_log_probs(shares)).sum(-1), counts.sum(-1).long()

    def generate(self, latents: Tensor, num_words: int = 10, do_sample: bool = False, **others: Any) -> Tensor:
        """Words at codes, shape (B, M): the M most probable, or with `do_sample` as many draws, from torch's global generator.

        Raises:
            ValueError: There are not so many words, or an option has no meaning without an order of words.
        """
        if wrong := [name for name, value in others.items() if not (name == "num_beams" and value == 1)]:
            raise ValueError(f"a bag of words has no order to search: leave {', '.join(wrong)} out; there are num_words and do_sample")
        if not 1 <= num_words <= self.config.vocab_size:
            raise ValueError(f"num_words is {num_words}; it must be from 1 to the {self.config.vocab_size:,} words of the vocabulary")
        log_probs = self.word_log_probs(self.shares(latents))
        if do_sample:
            return torch.multinomial(log_probs.exp(), num_words, replacement=True)
        return log_probs.topk(num_words, -1).indices

    @torch.no_grad()
    def topic_words(self) -> Tensor:
        """How strongly each topic speaks for each word, shape (D, V); the largest entries of a row are the topic's top words.

        Of a simplex code the log probability of the word in a document of that topic alone, as LDA's topics are read: raw weights
        would not do, since a constant for each word can move from all topics into the bias and nothing changes. Of a Gaussian code
        by how much the word's logit rises from z = 0 to the unit vector: without hidden layers its weight (Miao et al. 2016).
        """
        units = torch.eye(self.config.latent_dim, device=self.device)
        if self.config.code == "simplex":
            return self.word_log_probs(units)
        return self.logits(units) - self.logits(torch.zeros_like(units[:1]))


AutoConfig.register(TopicModelConfig.model_type, TopicModelConfig)
AutoModel.register(TopicModelConfig, TopicModel)
