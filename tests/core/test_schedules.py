"""Schedules: one contract for the whole table, then what is special about each."""

import math
import random

import pytest

from textae.core.schedules import SCHEDULES, Constant, Cosine, CosineRamp, Cyclical, Linear, Logistic, build_schedule

# name: (arguments, value at step 0, value long after the end)
CASES = {
    "constant": ({"value": 0.3}, 0.3, 0.3),
    "linear": ({"start": 0.1, "end": 0.7, "steps": 40, "warmup": 10}, 0.1, 0.7),
    "logistic": ({"start": 0.1, "end": 0.7, "midpoint": 50, "rate": 0.2, "warmup": 10}, 0.1, 0.7),
    "cyclical": ({"start": 0.1, "end": 0.7, "steps": 40, "cycles": 2, "warmup": 10}, 0.1, 0.7),
    "cosine": ({"start": 0.1, "end": 0.7, "steps": 40, "warmup": 10}, 0.1, 0.7),
}
JUMPS = {"cyclical": [30]}  # steps at which a restart is documented


@pytest.fixture(params=SCHEDULES)
def case(request):
    arguments, first, last = CASES[request.param]
    return request.param, build_schedule({"schedule": request.param, **arguments}), first, last


def test_every_schedule_has_a_case():
    assert set(CASES) == set(SCHEDULES)


def test_is_a_pure_function_of_the_step(case):
    _, schedule, _, _ = case
    steps = list(range(100))
    values = {step: schedule(step) for step in steps}
    random.Random(0).shuffle(steps)
    assert all(schedule(step) == values[step] for step in steps)


def test_starts_and_ends_where_it_says_and_stays_between(case):
    _, schedule, first, last = case
    assert schedule(0) == pytest.approx(first)
    assert schedule(10_000) == pytest.approx(last) and schedule(10**9) == pytest.approx(last)
    assert all(0.1 - 1e-12 <= schedule(step) <= 0.7 + 1e-12 for step in range(200))
    assert all(isinstance(schedule(step), float) and math.isfinite(schedule(step)) for step in (0, 1, 10**9))


def test_moves_in_small_steps_but_at_documented_jumps(case):
    name, schedule, _, _ = case
    for step in range(200):
        change = abs(schedule(step + 1) - schedule(step))
        assert (change > 0.4) if step + 1 in JUMPS.get(name, []) else (change < 0.1), step


@pytest.mark.parametrize("name", SCHEDULES)
def test_negative_counts_are_refused(name):
    counts = [key for key in ("steps", "warmup", "midpoint") if key in CASES[name][0]]
    for key in counts:
        with pytest.raises(ValueError, match=f"schedule {name}: {key} is -1"):
            SCHEDULES[name](**{key: -1})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", SCHEDULES)
def test_counts_that_are_no_numbers_are_refused(name, value):
    for key in ("steps", "warmup", "midpoint", "cycles", "ramp", "rate"):
        if key in SCHEDULES[name].__dataclass_fields__:
            with pytest.raises(ValueError, match=f"schedule {name}: .*{key}.*{value}"):
                SCHEDULES[name](**{key: value})


@pytest.mark.parametrize("rate", [-0.1, 0.0])
def test_a_logistic_that_never_gets_to_its_end_is_refused(rate):
    with pytest.raises(ValueError, match="rate is .*must be a finite number above 0"):
        build_schedule({"schedule": "logistic", "rate": rate})


@pytest.mark.parametrize("name", [name for name in SCHEDULES if name != "constant"])
def test_every_weight_climbs_from_0_to_1_and_waits_at_its_start(name):
    """The flaw: `cosine` was the curve of a learning rate, so that a weight fell from 1 to 0."""
    schedule, waiting = build_schedule(name), build_schedule({"schedule": name, "start": 0.2, "warmup": 5})
    assert schedule(0) == pytest.approx(0.0, abs=0.01) and schedule(10**9) == 1.0
    assert [waiting(step) for step in range(5)] == [0.2] * 5


def test_cosine_ramp_by_its_definition():
    schedule = CosineRamp(start=1.0, end=3.0, steps=8, warmup=2)
    assert [schedule(s) for s in (0, 1, 2, 4, 6, 8, 10, 11)] == pytest.approx([1, 1, 1, 2 - math.sqrt(0.5), 2, 2 + math.sqrt(0.5), 3, 3])
    assert CosineRamp(steps=0)(0) == 1.0


def test_linear_waits_climbs_and_stays():
    schedule = Linear(start=1.0, end=3.0, steps=4, warmup=2)
    assert [schedule(s) for s in range(8)] == [1.0, 1.0, 1.0, 1.5, 2.0, 2.5, 3.0, 3.0]
    assert [Linear(steps=0, warmup=1)(s) for s in range(3)] == [0.0, 1.0, 1.0]


def test_logistic_is_half_way_at_midpoint_after_warmup():
    schedule = Logistic(start=2.0, end=4.0, midpoint=100, rate=0.05, warmup=10)
    assert schedule(110) == pytest.approx(3.0)
    assert schedule(110 - 30) - 2.0 == pytest.approx(4.0 - schedule(110 + 30))  # an S is symmetric
    assert schedule(9) == 2.0
    width = 5.9 / 0.05  # the docstring's 90 % of the climb
    assert (schedule(110 + width / 2) - schedule(110 - width / 2)) / 2 == pytest.approx(0.9, abs=0.002)


def test_cyclical_restarts_as_often_as_it_says():
    schedule = Cyclical(steps=100, cycles=4, ramp=0.5, warmup=7)
    values = [schedule(step) for step in range(140)]
    assert [step for step in range(1, 140) if values[step] < values[step - 1]] == [32, 57, 82]
    assert values[7] == values[32] == 0.0 and values[:7] == [0.0] * 7
    assert all(v == 1.0 for v in values[7 + 13 : 7 + 25]) and values[107:] == [1.0] * 33
    assert schedule(7 + 5) == pytest.approx(5 / 12.5)


@pytest.mark.parametrize("options", [{"cycles": 0}, {"ramp": 0.0}, {"ramp": 1.5}])
def test_cyclical_refuses_what_is_no_cycle(options):
    with pytest.raises(ValueError, match="cycles=.*ramp="):
        Cyclical(**options)


def test_cosine_of_a_learning_rate_warms_up_then_falls_to_its_end():
    schedule = Cosine(start=1.0, end=0.2, steps=100, warmup=4)
    assert [schedule(s) for s in range(5)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert schedule(54) == pytest.approx(0.6)
    assert all(schedule(s) >= schedule(s + 1) for s in range(4, 104)) and schedule(104) == pytest.approx(0.2)
    assert Cosine(steps=0)(0) == 0.0


def test_build_schedule_takes_numbers_mappings_and_functions():
    assert build_schedule(2) == Constant(2.0) and build_schedule(0.5)(99) == 0.5
    assert build_schedule({"schedule": "linear", "end": 0.4, "steps": 20})(10) == pytest.approx(0.2)
    assert build_schedule("cosine") == CosineRamp()
    function = Linear()
    assert build_schedule(function) is function


@pytest.mark.parametrize(
    "value, message",
    [({"schedule": "liner"}, "no schedule 'liner': did you mean 'linear'"),
     ({"schedule": "linear", "step": 3}, "no key 'step': did you mean 'steps'"),
     ({"end": 3}, "must be a mapping with a key 'schedule'"),
     (True, "must be a mapping"), (None, "must be a mapping")],
)  # fmt: skip
def test_build_schedule_names_the_nearest(value, message):
    with pytest.raises(ValueError, match=message):
        build_schedule(value)
