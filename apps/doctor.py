"""`textae doctor`: does a decoder listen to its code, and if not, what to do about it. Measures; changes nothing.

Shapes: N sentences, D latent dimensions.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

NUM = 1000  # sentences: mutual information saturates at ln 1000 = 6.9 nats, and more take longer than a doctor may
DEAF = 0.05  # share of the reconstruction that a wrong code must cost, or the decoder hardly reads it
COLLAPSED = 0.1  # nats of KL below which a code says nothing; what training warns of too
APART = 1.0  # nats of KL that are no mutual information, above which q(z) as a whole is not the prior
BARE = " (Braces replace an objective.kl that is a bare number: say in them what its weight was.)"
LEARNED = ("learned_mixture", "vamp")  # priors of a Gaussian code that learn with the model
LM = "textae_lm"  # its posterior is its prior: there is no code
OWN = ("textae_rnn", "textae_rnn_bos", "textae_transformer")  # sentence models of our own layers, which z can reach one by one
PRETRAINED = ("textae_pretrained", "textae_seq2seq")
SENTENCES = (*OWN, *PRETRAINED)  # whose decoder reads words beside the code


@dataclass(frozen=True)
class Diagnosis:
    """What a model does with its code, nats per sentence.

    Attributes:
        on: What it was measured on.
        posterior: The family of q(z|x).
        prior: The prior that `kl` is to.
        num: N.
        kl: KL(q(z|x) || p(z)); None for a point, which has none.
        mi: Mutual information of sentences and codes, and `ln_n` its ceiling; None where there is no density.
        active_units: Dimensions of `latent_dim` whose means vary.
        nll_own: -log p(x|z) at each sentence's own posterior mean.
        nll_shuffled: The same at another sentence's: what the decoder does without its code.
        findings: In words, each with its remedy; never empty.
    """

    on: str
    posterior: str
    prior: str
    num: int
    kl: float | None
    mi: float | None
    ln_n: float
    active_units: int
    latent_dim: int
    nll_own: float
    nll_shuffled: float
    findings: list[str]

    @property
    def worth(self) -> float:
        """What the code is worth to the decoder, nats."""
        return self.nll_shuffled - self.nll_own


def diagnose(source: str, examples: list[str] | None = None, *, data: str = "", split: str = "valid", seed: int = 0, device: str = "auto", limit: int = NUM) -> Diagnosis:
    """Measure a model on examples, on a split of a named data set as it was trained on such, or on the examples that come with it.

    Raises:
        ValueError: There is nothing to measure on, or fewer than two examples, which nobody can shuffle.
    """
    from apps.catalog import modality_of, open_space
    from apps.modalities import documents

    kind, space, rows, on = modality_of(source), open_space(source, device), None, "given examples"
    if examples is None and data:
        examples, rows, on = kind.read_split(data, split)
        most = limit * documents.group_of(space) if kind is documents else limit
        examples, rows, how = kind.as_trained(space, examples[:most], rows[:most], seed)
        on += how
    elif examples is None:
        examples, on = list(space.examples), "the model's own examples, which are easy for it"
    if not examples:
        raise ValueError(f"{source} comes without examples of its own: give some, or name a data set with --data")
    if len(examples) < 2:
        raise ValueError("one example has no other to be mistaken for: give at least two")
    told = space.model.config.decoder_attributes  # a conditioned model is told what the data set knows
    rows = [{k: row[k] for k in told if k in row} for row in rows] if rows is not None and told else None
    return examine(space, examples[:limit], on, seed, rows)


def examine(space: Any, examples: list[Any], on: str, seed: int = 0, rows: list[dict[str, str]] | None = None) -> Diagnosis:
    """The diagnosis of an open `LatentSpace`; with `rows`, the attributes that each example is conditioned on."""
    import torch

    from textae.core.latent import PointPosterior, join
    from textae.core.metrics import active_units, active_variance, is_discrete, kl_to_prior, mutual_information
    from textae.core.space import seeded

    model, order = space.model, sorted(range(len(examples)), key=lambda i: space.processor.cost(examples[i]))
    space.processor.check(examples)
    posteriors, kl, own, shuffled = [], [], [], []

    def batches() -> Iterator[dict[str, Any]]:
        for start in range(0, len(order), space.batch_size):
            part = order[start : start + space.batch_size]
            batch = space.processor([examples[i] for i in part], None if rows is None else [rows[i] for i in part])
            yield {name: tensor.to(space.device) for name, tensor in batch.items()}

    with torch.no_grad(), seeded(seed):
        for batch in batches():
            q = model.encode(**batch)
            posteriors.append(q)
            kl.append(kl_to_prior(model, q, q.sample()))
            own.append(model.nll(q.mean, **batch)[0])
        codes = join(posteriors)
        wrong = codes.mean[_strangers(len(examples))]
        for batch, part in zip(batches(), wrong.split(space.batch_size), strict=True):
            shuffled.append(model.nll(part, **batch)[0])
        point = isinstance(codes, PointPosterior)
        mi = None if point else mutual_information(codes)
    measured = {
        "kl": None if point and not is_discrete(model, posteriors[0]) else torch.cat(kl).double().mean().item(), "mi": mi,
        "ln_n": float(torch.tensor(len(examples)).log()), "active_units": active_units(codes.mean.cpu(), active_variance(model.config)),
        "latent_dim": model.config.latent_dim, "nll_own": torch.cat(own).double().mean().item(),
        "nll_shuffled": torch.cat(shuffled).double().mean().item(),
    }  # fmt: skip
    kind, prior = model.config.posterior, model.config.prior
    return Diagnosis(on=on, posterior=kind, prior=prior, num=len(examples), **measured, findings=findings(kind, prior, model_type=model.config.model_type, **measured))


def _strangers(num: int) -> Any:
    """A permutation that leaves nobody in place, from torch's global generator: a random cycle."""
    import torch

    cycle = torch.randperm(num)
    after = torch.empty(num, dtype=torch.long)
    after[cycle] = cycle.roll(1)
    return after


def findings(
    posterior: str, prior: str, *, model_type: str, kl: float | None, mi: float | None, ln_n: float, active_units: int, latent_dim: int,
    nll_own: float, nll_shuffled: float,
) -> list[str]:  # fmt: skip
    """What the figures mean and what helps, worst first; `model_type` is the config's, the other arguments are as in `Diagnosis`."""
    if model_type == LM:
        return ["A language model, which has no code: its KL is 0 by construction and there is nothing to heal. It is what autoencoders are held against."]
    said, worth = [], nll_shuffled - nll_own
    deaf = worth < DEAF * nll_own
    if kl is not None and mi is not None and (kl < COLLAPSED or active_units == 0):
        said.append(
            f"Posterior collapse: the KL is {kl:.2f} nats and {active_units} of {latent_dim} dimensions are active; every example has nearly the "
            f"same code. {_against_collapse(posterior, prior, model_type)}"
        )
    elif mi is not None and kl is not None and mi < 0.5 * min(kl, ln_n):
        said.append(
            f"The KL of {kl:.1f} nats is spent on little: codes tell examples apart by {mi:.2f} nats (at most {ln_n:.1f} could be seen). {_worth_its_kl(posterior, model_type)}"
        )
    if deaf:
        said.append(f"The decoder hardly listens: another example's code costs it {worth:.2f} nats of {nll_own:.1f}. {_to_be_heard(model_type)}")
    if posterior == "quantized" and kl is not None and active_units == 0:
        said.append("Every example gets the same codes: raise objective.commitment or lower the codebook's revive_after, so that dead codes come back sooner.")
    if mi is not None and kl is not None and not said and mi < 0.9 * ln_n and kl - mi > APART:
        said.append(
            f"Codes as a whole lie {kl - mi:.1f} nats from the prior (KL less mutual information), so samples of it decode worse than reconstructions. {_nearer_prior(posterior, prior, model_type)}"
        )
    if not deaf and 0 < active_units < latent_dim / 4:
        free = "; or objective.kl.free_bits per dimension wakes the others up" if _by_dimension(posterior, prior) else ""
        said.append(f"Only {active_units} of {latent_dim} dimensions are in use. That is no illness: a smaller model.latent_dim says as much{free}.")
    if kl is None and not deaf:
        said.append(
            "A point has no KL and no bound; the decoder reads it. Whether samples are any good depends on the prior: "
            + ("nothing drew the codes to N(0, I) unless the objective has latent_adversary or mmd, so fit one: prior={name: mixture}." if prior == "standard" else f"here {prior}.")
        )
    return said or [f"Healthy: the decoder reads its code, which is worth {worth:.1f} nats of the {nll_shuffled:.1f} that a wrong one costs."]


def _by_dimension(posterior: str, prior: str) -> bool:
    """Whether the KL is a sum over dimensions, which free bits could be given to one by one: as `objective.kl` refuses the others."""
    return posterior == "hierarchical" or (posterior == "gaussian" and prior == "standard")


def _against_collapse(posterior: str, prior: str, model_type: str) -> str:
    """Remedies that a family and a kind of model can take, strongest first."""
    if posterior == "vmf":
        return (
            "A sphere's KL depends on its concentration alone, so fix that: model.posterior_options.kappa=80 objective.kl=1, as in text/ptb_vmf, "
            "makes the KL a constant that training cannot push to zero. With one already, a higher kappa makes codes sharper."
        )
    free = "objective.kl={free_bits: 0.1, free_bits_per: dimension}" if _by_dimension(posterior, prior) else "objective.kl={free_bits: 4, free_bits_per: batch}"
    steered = "objective.kl=1 objective.kl={weight: {schedule: pi, target: 4}}, of which the first clears what was there; a weight that climbs slowly or cycles"
    if posterior != "gaussian" or model_type not in SENTENCES:
        return f"Strongest first: {free}; {steered}.{BARE}"
    scaled = "" if prior == "vamp" else "model.posterior_options.mean_scale=0.6 (BN-VAE); "
    pretrained = ""
    if model_type in OWN:  # a decoder that was fetched would begin from nothing
        fresh = "decoder, head.logvar, prior" if prior in LEARNED else "decoder, head.logvar"
        pretrained = f"pretrain the encoder as an autoencoder's, with posterior=point as text/ptb_ae has it, then init=... with reset=[{fresh}] and free bits, as in text/ptb_vae_pretrained; "
    return f"Strongest first: {pretrained}{free}; {scaled}{steered}; trainer.aggressive=100.{BARE}"


def _worth_its_kl(posterior: str, model_type: str) -> str:
    """What teaches a decoder to read codes that cost enough already."""
    if model_type not in SENTENCES:
        return "This decoder is given little else, so a smaller weight of the KL lets codes differ by more."
    pretrained = " or an autoencoder's encoder (init and reset)" if posterior == "gaussian" and model_type in OWN else ""
    return (
        "The rest of it moves codes as a whole and tells no example from another, which is nothing to read: "
        f"trainer.aggressive=100{pretrained} puts the encoder ahead of the decoder; objective.bag_of_words=1 gives the code something to tell."
    )


def _to_be_heard(model_type: str) -> str:
    """What a kind of decoder could do to depend on its code."""
    if model_type not in SENTENCES:
        return "It is given little else, so the codes themselves differ too little: lower the weight of what holds them together, or train longer."
    weaker = "data.word_drop=0.3 or model.dropout=0.4" if model_type in OWN else "data.word_drop=0.3"
    closer = "model.latent_to_layers=true" if model_type in OWN else "model.latent_to_embedding=true, or more of model.num_memory_slots"
    if model_type == "textae_pretrained":
        closer = f"model.latent_to_memory=true {closer}"
    return f"Weaken what it does without the code: {weaker}; or bring the code closer: {closer}."


def _nearer_prior(posterior: str, prior: str, model_type: str) -> str:
    """What brings prior and codes together."""
    if posterior == "vmf":  # no other prior has its draws on the sphere
        return "The sphere has no other prior: objective.mmd draws codes as a whole to it, and so does a smaller model.posterior_options.kappa."
    fitted = "Fit the flow to more codes (prior.limit) or for longer (prior.fit)" if prior == "flow" else "Fit a prior to them (prior={name: flow})"
    if posterior != "gaussian" or prior in LEARNED:
        return f"{fitted}."
    learned = "model.prior=learned_mixture objective.kl={free_bits_per: batch}"  # its KL is one number for all dimensions
    if model_type in OWN:  # others read no vectors in the place of words, and BN-VAE's means are of real sentences
        learned += " or model.prior=vamp model.posterior_options.mean_scale=0 objective.kl={free_bits_per: batch}"
    return f"{fitted}, or let one learn with the model, by its KL: {learned}.{BARE}"


def as_dict(diagnosis: Diagnosis) -> dict[str, Any]:
    """For JSON."""
    return {**asdict(diagnosis), "worth": diagnosis.worth}


def as_text(diagnosis: Diagnosis) -> str:
    """For the screen: the figures, and then the findings."""
    d = diagnosis
    lines = [
        f"measured on               {d.on} ({d.num:,})",
        f"KL to {d.prior:<19} " + ("none: a point has no density" if d.kl is None else f"{d.kl:.2f} nats"),
        "mutual information        " + ("none" if d.mi is None else f"{d.mi:.2f} of at most {d.ln_n:.2f} nats"),
        f"active units              {d.active_units} of {d.latent_dim}",
        f"reconstruction, own code  {d.nll_own:.2f} nats",
        f"reconstruction, shuffled  {d.nll_shuffled:.2f} nats: the code is worth {d.worth:.2f}",
    ]
    return "\n".join([*lines, "", *(f"- {finding}" for finding in d.findings)])
