"""Terms and their sum: one contract for the whole table, free bits in closed form, and who gets whose gradient."""

import pytest
import torch
from torch.testing import assert_close

from textae.core.autoencoder import AutoencoderOutput
from textae.core.latent import DiagonalGaussian, PointPosterior
from textae.core.objectives import KL, TERMS, LatentAdversary, Objective, Term
from textae.core.objectives.base import TermValue, frozen_call


@pytest.fixture
def bound(processor, new_model, sentences):
    """A model in training mode, its output and its batch."""
    model = new_model(processor).train()
    batch = processor(sentences[:6])
    torch.manual_seed(0)
    return model, model(**batch), batch


def output_of(mean, logvar, nll=None):
    posterior = DiagonalGaussian(mean, logvar)
    return AutoencoderOutput(torch.zeros(len(mean)) if nll is None else nll, posterior, mean, torch.ones(len(mean)))


def gradients(module):
    return [p.grad for p in module.parameters() if p.requires_grad]


# --- the contract of every term -----------------------------------------------------------------------------------


STRUCTURED = {
    "categories": 3, "latent_dim": 5, "posterior": "point", "prior": "categorical", "attributes": {"kind": ["a", "b", "c"]}, "conditioned": False,
}  # fmt: skip
# Arguments that a term cannot do without, and the toy for those that a plain sentence VAE does not fit.
NEEDED = {"classification": {"attribute": "kind"}, "total_correlation": {"num_examples": 36}}
LABELLED = {"latent_dim": 5, "attributes": {"kind": ["a", "b", "c"]}}
TOYS = {
    "category_adversary": STRUCTURED, "classification": STRUCTURED, "cluster_head_distance": {**STRUCTURED, "heads": True}, "commitment": {"codes": 5},
    "attribute_adversary": LABELLED, "attribute_information": LABELLED, "attribute_code": {**LABELLED, "conditioned": False},
    "latent_generator": {"prior": "generator", "prior_options": {"hidden_dim": 6, "noise_dim": 3}},
}  # fmt: skip


@pytest.fixture
def case(request, bound, new_toy):
    """A term of the table, bound, with a model, its output and its batch of six."""
    term = TERMS[request.param](**NEEDED.get(request.param, {}))
    model, output, batch = bound
    if request.param in TOYS:
        model = new_toy(**TOYS[request.param])
        batch = {"x": torch.randn(6, 4), "attributes": torch.tensor([[0], [1], [2], [-1], [0], [1]])}
        output = model(**batch)
    term.bind(model)
    return term, model, output, batch


@pytest.mark.parametrize("case", TERMS, indirect=True)
def test_term_says_value_and_loss_of_a_batch(case):
    term, *arguments = case
    assert isinstance(term, Term)
    said = term(*arguments, 0)
    assert isinstance(said, TermValue)
    for tensor in (said.value, said.loss):
        assert tensor.shape in {(6,), ()} and tensor.isfinite().all() and tensor.dtype == torch.float32
    has_parameters = any(True for _ in term.parameters())
    assert (said.own_loss is not None) == has_parameters
    assert said.own_loss is None or said.own_loss.shape == ()


@pytest.mark.parametrize("case", TERMS, indirect=True)
def test_gradients_stay_on_their_side(case):
    """The autoencoder's side leaves none in the term's own parameters, its own loss none in the autoencoder."""
    term, model, output, batch = case
    said = term(model, output, batch, 0)
    said.loss.mean().backward(retain_graph=True)
    assert all(g is None for g in gradients(term))
    assert any(g is not None and g.abs().sum() > 0 for g in gradients(model))
    model.zero_grad()
    if said.own_loss is not None:
        said.own_loss.backward()
        assert all(g is None for g in gradients(model))
        assert all(g is not None and g.isfinite().all() for g in gradients(term))
        assert any(g.abs().sum() > 0 for g in gradients(term))


@pytest.mark.parametrize("case", TERMS, indirect=True)
def test_a_term_is_a_function_of_the_seed(case):
    """Resumed runs repeat themselves: whatever a term draws comes from torch's global generator."""
    term, *arguments = case
    torch.manual_seed(3)
    first = term(*arguments, 0)
    torch.manual_seed(3)
    again = term(*arguments, 0)
    assert torch.equal(first.value, again.value) and torch.equal(first.loss, again.loss)
    assert first.own_loss is None or torch.equal(first.own_loss, again.own_loss)


@pytest.mark.parametrize("name", TERMS)
def test_weight_is_a_number_or_a_schedule(name):
    needed, beside = NEEDED.get(name, {}), {} if name in ("reconstruction", "iwae") else {"reconstruction": 2.0}
    assert Objective.from_config({**beside, name: {"weight": 0.5, **needed}}, TERMS).weights(3) == {**beside, name: 0.5}
    if not needed:
        assert Objective.from_config({**beside, name: 0.5}, TERMS).weights(3) == {**beside, name: 0.5}
    scheduled = Objective.from_config({**beside, name: {"weight": {"schedule": "linear", "steps": 10}, **needed}}, TERMS)
    assert scheduled.weights(5) == {**beside, name: 0.5} and scheduled.weights(0) == {**beside, name: 0.0}


# --- the sum ------------------------------------------------------------------------------------------------------


def test_objective_is_the_weighted_sum_of_batch_means_and_logs_are_unweighted(bound):
    model, output, batch = bound
    objective = Objective.from_config({"reconstruction": 2.0, "kl": {"weight": {"schedule": "linear", "steps": 10, "end": 0.5}}}, TERMS)
    objective.bind(model)
    nll, kl = output.nll.mean(), output.posterior.kl().sum(1).mean()
    for step, beta in [(0, 0.0), (4, 0.2), (99, 0.5)]:
        loss, logs = objective(model, output, batch, step)
        assert_close(loss, 2 * nll + beta * kl)
        assert_close(logs["reconstruction"], nll.detach())
        assert_close(logs["kl"], kl.detach())
        assert not any(v.requires_grad for v in logs.values())


def test_own_loss_is_added_with_weight_one_and_logged(bound):
    model, output, batch = bound
    objective = Objective.from_config({"reconstruction": None, "latent_adversary": {"weight": 0.0, "hidden_dim": 8}}, TERMS)
    objective.bind(model)
    loss, logs = objective(model, output, batch, 0)
    assert_close(loss.detach(), logs["reconstruction"] + logs["latent_adversary_own_loss"])
    assert list(logs) == ["reconstruction", "latent_adversary", "latent_adversary_own_loss"]


def test_players_have_their_own_rates(bound):
    objective = Objective.from_config({"reconstruction": None, "latent_adversary": {"lr": 0.3, "hidden_dim": 8}}, TERMS)
    objective.bind(bound[0])
    ((name, (parameters, share)),) = objective.players().items()
    assert name == "latent_adversary" and share == 0.3 and len(parameters) == 6
    assert Objective.from_config({"reconstruction": None, "kl": None}, TERMS).players() == {}


@pytest.mark.parametrize(
    "config, message",
    [({}, "no terms; the least is 'reconstruction'"),
     ({"recontruction": None}, "no term 'recontruction': did you mean 'reconstruction'"),
     ({"kl": {"beta": 1}}, "no key 'beta'.*free_bits"),
     ({"kl": {"free_bit": 1}}, "did you mean 'free_bits'"),
     ({"kl": {"free_bits": -1}}, "free_bits is -1"),
     ({"kl": {"free_bits_per": "token"}}, "'token'; it must be dimension, sentence or example"),
     ({"kl": -0.1}, "value is -0.1; a weight is a finite number and cannot be negative"), ({"kl": float("nan")}, "value is nan"),
     ({"mmd": {"weight": {"schedule": "linear", "end": -1}}}, "end is -1"), ({"kl": {"capacity": -2}}, "kl.capacity: value is -2.*cannot be negative"),
     ({"kl": {"capacity": 2, "free_bits": 1}}, "leave one out"), ({"kl": {"weight": {"schedule": "cyclical", "cycles": 0}}}, "cycles=0 must be a whole number from 1"),
     *(({"kl": {"weight": {"schedule": "cyclical", "steps": 5, "cycles": cycles}}}, f"cycles={cycles} must be a whole number from 1 to steps=5") for cycles in (10, 2.5)),
     *(({"kl": {"weight": {"schedule": "pi", "target": 3}, key: 4}}, "leave one out") for key in ("capacity", "free_bits")),
     ({"kl": {"capacity": {"schedule": "pi", "target": 3}}}, "kl.capacity: .*a controller steers a weight"),
     ({"kl": {"weight": {"schedule": "pi"}}}, "needs the key 'target'"), ({"kl": {"weight": {"schedule": "pi", "target": 0}}}, "target is 0; it must be above 0"),
     ({"kl": {"weight": {"schedule": "liner"}}}, "did you mean 'linear'"),
     ({"kl": "high"}, "no schedule 'high'"),
     ({"kl": {"weight": {"schedule": "logistic", "rate": -0.1}}}, "logistic: rate is -0.1"), ({"kl": {"weight": {"schedule": "linear", "steps": float("nan")}}}, "steps is nan"),
     *(({"latent_adversary": {"lr": lr}}, f"a term's lr is {lr}; .* finite number above 0") for lr in (-1, 0, float("inf"), float("nan"))),
     ({"kl": None, "mmd": 10}, "kl, mmd and no term that reconstructs: add reconstruction or iwae$"),
     ({"reconstruction": None, "iwae": None}, "charges the likelihood twice, by reconstruction and by iwae: leave one"), ({"iwae": None, "kl": 0.1}, "charges the kl twice, by iwae and by kl"),
     ({"reconstruction": True}, "objective weight")],
)  # fmt: skip
def test_from_config_names_what_is_wrong(config, message):
    with pytest.raises(ValueError, match=message):
        Objective.from_config(config, TERMS)


def test_a_point_posterior_has_no_kl(processor, new_model):
    objective = Objective.from_config({"reconstruction": None, "kl": None}, TERMS)
    with pytest.raises(ValueError, match="point posterior has no KL: set model.posterior=gaussian"):
        objective.bind(new_model(processor, posterior="point"))


# --- KL and free bits ---------------------------------------------------------------------------------------------


def test_kl_is_summed_over_dimensions_not_averaged():
    """A record perplexity of 2022 came from an average here: doubling the dimensions must double the KL."""
    for dim in (3, 6):
        said = KL()(None, output_of(torch.ones(2, dim), torch.zeros(2, dim)), {}, 0)
        assert_close(said.value, torch.full((2,), 0.5 * dim))
        assert_close(said.loss, said.value)


def leaf(values):
    return torch.tensor(values, requires_grad=True)


def test_free_bits_per_dimension_charge_what_exceeds_the_batch_mean():
    mean = leaf([[2.0, 0.1, 0.0], [0.0, 0.1, 1.0]])  # KL = mean² / 2; batch means 1.0, 0.005, 0.25
    said = KL(free_bits=0.3)(None, output_of(mean, torch.zeros(2, 3)), {}, 0)
    assert_close(said.loss, torch.tensor(1.0 + 0.3 + 0.3))
    assert_close(said.value, torch.tensor([2.005, 0.505]))  # the log shows the KL itself
    said.loss.mean().backward()
    assert_close(mean.grad, torch.tensor([[1.0, 0, 0], [0.0, 0, 0]]))  # zero below the threshold, mean / B above


@pytest.mark.parametrize("per", ["sentence", "example"])
def test_free_bits_per_sentence_charge_each_sentence_alone(per):
    mean = leaf([[2.0, 1.0], [0.5, 0.5], [0.0, 1.2]])  # totals 2.5, 0.25, 0.72
    said = KL(free_bits=0.7, free_bits_per=per)(None, output_of(mean, torch.zeros(3, 2)), {}, 0)
    assert_close(said.loss, torch.tensor([2.5, 0.7, 0.72]))
    assert_close(said.value, torch.tensor([2.5, 0.25, 0.72]))
    said.loss.mean().backward()
    assert_close(mean.grad, torch.tensor([[2 / 3, 1 / 3], [0.0, 0.0], [0.0, 0.4]]))


def test_free_bits_per_batch_charge_what_exceeds_the_mean_of_all():
    mean = leaf([[2.0, 1.0], [0.5, 0.5]])  # totals 2.5 and 0.25, mean 1.375
    assert_close(KL(free_bits=2.0, free_bits_per="batch")(None, output_of(mean, torch.zeros(2, 2)), {}, 0).loss, torch.tensor(2.0))
    said = KL(free_bits=1.0, free_bits_per="batch")(None, output_of(mean, torch.zeros(2, 2)), {}, 0)
    assert_close(said.loss, torch.tensor(1.375))
    said.loss.backward()
    assert_close(mean.grad, mean.detach() / 2)  # every sentence pays, whichever spent it


def test_a_capacity_pulls_the_mean_from_both_sides():
    mean = leaf([[2.0, 1.0], [0.5, 0.5]])
    term = KL(capacity={"schedule": "linear", "end": 3.0, "steps": 10})
    said = [term(None, output_of(mean, torch.zeros(2, 2)), {}, step) for step in (0, 10)]
    assert_close(torch.stack([s.loss for s in said]), torch.tensor([1.375, 1.625]))
    said[1].loss.backward()
    assert_close(mean.grad, -mean.detach() / 2)
    assert_close(said[1].value, torch.tensor([2.5, 0.25]))


def test_beta_scales_the_gradient(bound):
    model, output, batch = bound
    grads = []
    for beta in (1.0, 0.25):
        model.zero_grad()
        Objective({"kl": KL(weight=beta)})(model, output, batch, 0)[0].backward(retain_graph=True)
        grads.append(model.head.mean.weight.grad.clone())
    assert_close(grads[1], 0.25 * grads[0])


# --- the adversary ------------------------------------------------------------------------------------------------


def test_frozen_call_computes_the_same_and_leaves_no_gradient():
    layer, x = torch.nn.Linear(3, 1), torch.randn(4, 3, requires_grad=True)
    assert torch.equal(frozen_call(layer, x), layer(x))
    frozen_call(layer, x).sum().backward()
    assert layer.weight.grad is None
    assert_close(x.grad, layer.weight.detach().expand(4, 3))


def test_frozen_call_counts_nothing():
    """A batch norm normalizes as it does in training, and its statistics stay those of the data."""
    norm, x = torch.nn.BatchNorm1d(3), torch.randn(4, 3)
    before = {n: b.clone() for n, b in norm.named_buffers()}
    frozen = frozen_call(norm, x)
    assert all(torch.equal(b, before[n]) for n, b in norm.named_buffers())
    assert torch.equal(frozen, norm(x))


def test_critic_learns_to_tell_codes_from_the_prior():
    """Real and fake labels are not swapped: a trained critic scores prior draws above codes, and codes pay for it."""
    torch.manual_seed(0)
    term = LatentAdversary(hidden_dim=16)
    term.critic = torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.LeakyReLU(0.2), torch.nn.Linear(16, 1))
    optimizer = torch.optim.Adam(term.parameters(), lr=0.01)
    codes = torch.randn(256, 2) * 0.3 + 4
    for _ in range(150):
        optimizer.zero_grad()
        term(None, AutoencoderOutput(codes[:, 0], PointPosterior(codes), codes, codes[:, 0]), {}, 0).own_loss.backward()
        optimizer.step()
    with torch.no_grad():
        assert term.critic(torch.randn(200, 2)).mean() > 1 and term.critic(codes).mean() < -1
        pays = term(None, AutoencoderOutput(codes[:, 0], PointPosterior(codes), codes, codes[:, 0]), {}, 0).loss.mean()
        fooled = term(None, AutoencoderOutput(codes[:, 0], PointPosterior(codes), torch.randn(256, 2), codes[:, 0]), {}, 0).loss.mean()
    assert pays > 1 > fooled


def test_one_backward_equals_two_optimizers_and_two_backward_passes(processor, new_model, sentences):
    """100 Adam steps of the one-pass game and of the textbook's."""

    def start():
        model = new_model(processor, seed=3, posterior="point").train()
        objective = Objective.from_config({"reconstruction": None, "latent_adversary": {"weight": 0.7, "hidden_dim": 8}}, TERMS)
        torch.manual_seed(4)
        objective.bind(model)
        return model, objective

    batches = [processor(sentences[i : i + 4]) for i in range(0, 16, 4)]
    ours, objective = start()
    own = [p for p in ours.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam([{"params": own}, {"params": list(objective.parameters())}], lr=0.003)
    for step in range(100):
        torch.manual_seed(step)
        batch = batches[step % 4]
        optimizer.zero_grad()
        objective(ours, ours(**batch), batch, step)[0].backward()
        optimizer.step()

    theirs, other = start()
    critic = other.terms["latent_adversary"].critic
    players = torch.optim.Adam([p for p in theirs.parameters() if p.requires_grad], lr=0.003), torch.optim.Adam(critic.parameters(), lr=0.003)
    bce = torch.nn.functional.binary_cross_entropy_with_logits
    for step in range(100):
        torch.manual_seed(step)
        batch = batches[step % 4]
        output = theirs(**batch)
        prior = torch.randn_like(output.z)
        real, fake = critic(prior), critic(output.z.detach())
        critic_loss = bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake))
        critic_gradients = torch.autograd.grad(critic_loss, list(critic.parameters()))
        players[0].zero_grad()
        fooled = critic(output.z)
        (output.nll.mean() + 0.7 * bce(fooled, torch.ones_like(fooled))).backward()
        players[0].step()
        for parameter, gradient in zip(critic.parameters(), critic_gradients, strict=True):
            parameter.grad = gradient
        players[1].step()

    for name, parameter in ours.named_parameters():
        assert_close(parameter, theirs.get_parameter(name), atol=1e-6, rtol=0, msg=lambda m, n=name: f"{n}: {m}")
    for a, b in zip(objective.parameters(), other.parameters(), strict=True):
        assert_close(a, b, atol=1e-6, rtol=0)
    assert not torch.equal(ours.head.mean.weight, start()[0].head.mean.weight)
