"""The one training loop: any model, any objective, on accelerate; stopped and resumed without a trace.

Randomness is a function of (seed, batch number, rank) and order of (seed, epoch), so nothing of a generator needs
to be saved and an evaluation cannot disturb what follows.
"""

import json
import logging
import math
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import Tensor, nn
from tqdm import tqdm

from textae.core.aggressive import CLIMB, EPOCHS, encoder_parameters, held, held_out_information, train_encoder
from textae.core.autoencoder import Autoencoder
from textae.core.checkpoint import RunState, latest_state, load_state, save_state
from textae.core.data import Batch, Splits
from textae.core.failure import REMEDY, Fault, check_weights, fault_of_gradients, fault_of_loss, save_failure
from textae.core.files import recover, whole_folder
from textae.core.metrics import Bound, bound
from textae.core.objectives.base import Objective
from textae.core.options import PRECISIONS, TrainerOptions
from textae.core.schedules import Constant, Cosine, Linear

logger = logging.getLogger(__name__)

COLLAPSE_AFTER = 20  # optimizer steps before which no model has learned to use z


class _Players(nn.Module):
    """Autoencoder and critics in one module, so that one forward under DDP covers every parameter."""

    def __init__(self, model: Autoencoder, objective: Objective):
        super().__init__()
        self.model, self.objective = model, objective

    def forward(self, batch: Batch, step: int) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        output = self.model(**batch)
        loss, logs = self.objective(self.model, output, batch, step)
        return loss, logs, output.count.sum()


class Trainer:
    """Trains one model with one objective.

    Args:
        model: Any autoencoder.
        objective: Its terms; bound to the model here.
        splits: Training batches, and validation batches where there are some.
        out: Folder of the run: `model/` to share, `state/` to resume, `log.jsonl`; `failure/` where a loss was no number.
        options: How to train.
        config: The resolved config of the run, kept in every state; `resume` refuses another one.
        write_model: Called with a folder and the run's figures when a model is saved: writes config, weights,
            processor and card into it. Without it only config and weights are written.
    """

    def __init__(
        self, model: Autoencoder, objective: Objective, splits: Splits, out: str | Path, options: TrainerOptions, *,
        config: dict[str, Any] | None = None, write_model: Callable[[Path, dict[str, Any]], None] | None = None,
    ):  # fmt: skip
        self.splits, self.out, self.options = splits, Path(out), options
        self.config = config or {"trainer": asdict(options)}
        self._write_model = write_model or (lambda folder, figures: model.save_pretrained(folder))
        if not len(splits.train) and not (options.save_every or options.eval_every):
            raise ValueError("nobody knows where a stream's epoch ends: set trainer.save_every or trainer.eval_every, or nothing is saved")
        if splits.valid is None and options.patience:
            raise ValueError("trainer.patience counts validations, and there is no validation split: give one, or set it to 0")
        if options.precision == "fp16" and (options.device == "cpu" or not torch.cuda.is_available()):
            raise ValueError("trainer.precision=fp16 needs a GPU; on a CPU take bf16 or fp32")
        torch.set_flush_denormal(True)  # Adam's moments decay into subnormals, which cost a CPU three times the epoch
        if not torch.distributed.is_initialized():
            # accelerate keeps precision and device for the whole process, and refuses a second trainer that wants others
            AcceleratorState._reset_state(reset_partial_state=True)
        self.accelerator = Accelerator(
            cpu=options.device == "cpu", mixed_precision=PRECISIONS[options.precision], log_with=options.log_with or None,
            project_dir=str(self.out),
        )  # fmt: skip
        torch.manual_seed(options.seed)  # critics are initialized here
        objective.bind(model)
        if options.select == "best" and splits.valid is not None and any(t.charges == ("likelihood", "kl") for t in objective.terms.values()):
            warnings.warn(
                "the objective is a tighter bound than the ELBO, which may rise while the bound falls, and trainer.select=best keeps the "
                "model of the lowest ELBO in validation: set trainer.select=last", stacklevel=2,
            )  # fmt: skip
        self.model, self.objective = model, objective
        self.players = {"autoencoder": ([p for p in model.parameters() if p.requires_grad], 1.0), **objective.players()}
        self._encoder = encoder_parameters(model, splits, self.accelerator.num_processes) if options.aggressive else []
        ahead = {id(p) for p in self._encoder}
        self._behind = [p for params, _ in self.players.values() for p in params if id(p) not in ahead]
        groups = [{"params": params, "share": share, "lr": 0.0} for params, share in self.players.values()]
        device = self.accelerator.device
        optimizer = torch.optim.AdamW(
            groups, lr=options.lr, betas=tuple(options.betas), weight_decay=options.weight_decay, fused=device.type in ("cpu", "cuda")
        )
        # Only fp16 needs accelerate's optimizer, for its scaler: at every call it looks on the disk for a package (lomo),
        # which costs a small model a sixth of its time.
        self._scaled, self._told_of_collapse = options.precision == "fp16", False
        self.module = self.accelerator.prepare(_Players(model, objective))
        self.optimizer = self.accelerator.prepare(optimizer) if self._scaled else optimizer
        self.state = RunState()
        self.total_steps = self._total_steps()
        if options.decay != "none" and not self.total_steps:
            raise ValueError("trainer.decay of a stream needs trainer.max_steps: nobody knows the length of an epoch")
        self.rate = self._rate()

    def _total_steps(self) -> int:
        """Optimizer steps of the whole run; 0 where nobody knows."""
        world = self.accelerator.num_processes
        known = len(self.splits.train) // world * self.options.epochs // self.options.accumulate
        if len(self.splits.train) and not known:
            raise ValueError("the training split has fewer batches than one step needs: lower batch_size or accumulate")
        return min(known, self.options.max_steps) if known and self.options.max_steps else known or self.options.max_steps

    def _rate(self) -> Callable[[int], float]:
        o = self.options
        steps = max(self.total_steps - o.warmup, 1)
        if o.decay == "cosine":
            return Cosine(o.lr, o.lr * o.final_lr, steps, o.warmup)
        after = Linear(o.lr, o.lr * o.final_lr, steps, o.warmup) if o.decay == "linear" else Constant(o.lr)
        return lambda step: o.lr * (step + 1) / (o.warmup + 1) if step < o.warmup else after(step)

    # --- the loop ---------------------------------------------------------------------------------------------

    def fit(self, resume: bool = False) -> RunState:
        """Train to the end, or to early stopping; with `resume`, from the newest state in `out`.

        Raises:
            ValueError: There is no state to resume from, it is of another config, or the loss became infinite.
        """
        recover(self.out / "model")
        self.module.train()
        if resume:
            self.load()
        elif any((self.out / "state").glob("step-*")):
            raise ValueError(f"{str(self.out)!r} holds the states of another run: resume it, or choose another folder")
        elif self.accelerator.is_main_process:
            self.out.mkdir(parents=True, exist_ok=True)
            (self.out / "log.jsonl").write_text("")
        if not resume:
            self.state.aggressive = self.options.aggressive > 0
        if self.options.log_with:
            self.accelerator.init_trackers("textae", {k: str(v) for k, v in self.config.items()})
        state, options = self.state, self.options
        self._trim_log()
        started, bar = time.perf_counter() - state.seconds, self._bar()
        sums, since = self._fresh_sums(), time.perf_counter()
        micro, ahead = self._micro_batches(), self._encoder_batches()
        while not self._finished():
            rate = self.rate(state.step)
            for group in self.optimizer.param_groups:
                group["lr"] = rate * group["share"]
            if state.aggressive:
                with held(self._behind):
                    train_encoder(lambda: self._encoder_step(ahead), options.aggressive, options.aggressive_window)
            for part in range(options.accumulate):
                batch = next(micro, None)
                if batch is None:
                    break
                last = part == options.accumulate - 1
                with self.accelerator.no_sync(self.module) if not last else nullcontext(), held(self._encoder if state.aggressive else ()):
                    loss, logs, count = self.module(batch, state.step)
                    self._backward(loss / options.accumulate)
                self._stop(fault_of_loss(loss, self.objective.summands), batch)
                sums["batches"] += 1
                sums["count"] = sums["count"] + count
                for name, value in {"loss": loss.detach(), **logs}.items():
                    sums["terms"][name] = sums["terms"].get(name, 0.0) + value
            if batch is None:
                self.optimizer.zero_grad()
                break
            norms = self._clip() if options.clip or (state.step + 1) % options.log_every == 0 else {}
            if not self._scaled:  # whose scaler skips steps that overflow
                self._stop(fault_of_gradients(norms), batch)
            self.optimizer.step()
            self.optimizer.zero_grad()
            state.step += 1
            state.seconds = time.perf_counter() - started
            bar.update()
            if state.step % options.log_every == 0:
                self._log_training(sums, time.perf_counter() - since, rate, norms, bar)
                sums, since = self._fresh_sums(), time.perf_counter()
            if self._is_due(options.eval_every) and self.splits.valid is not None:
                before = time.perf_counter()
                self._validate()
                since += time.perf_counter() - before
                if options.patience and state.bad_evaluations >= options.patience:
                    logger.info("no better ELBO in %d validations: stopping at step %d", options.patience, state.step)
                    state.finished = True
            if self._is_due(options.save_every or options.eval_every) or self._finished():
                self.save()
        bar.close()
        if not state.finished:
            state.finished = True
            if self.splits.valid is not None and state.step != state.evaluated_step:
                self._validate()
            self.save()
        if self.splits.valid is None:
            self._save_model({})
        if self.options.log_with:
            self.accelerator.end_training()
        return state

    def _micro_batches(self) -> Iterator[Batch]:
        """Batches on the device, epoch after epoch, each drawn after seeding; keeps the state's position."""
        state, accelerator = self.state, self.accelerator
        while state.epoch < self.options.epochs:
            batches = self.splits.train.epoch(
                state.epoch, skip=state.batch, rank=accelerator.process_index, world=accelerator.num_processes
            )
            empty = state.batch == 0
            while True:
                self._seed(state.drawn)
                batch = next(batches, None)
                if batch is None:
                    break
                empty = False
                state.batch += 1
                state.drawn += 1
                yield self._to_device(batch)
            if empty:
                raise ValueError("the training split has no batch for this process: lower batch_size or the number of processes")
            state.epoch, state.batch = state.epoch + 1, 0

    def _encoder_batches(self) -> Iterator[Batch]:
        """Batches of encoder-only steps, without end, in an order of their own; keeps the state's position."""
        state = self.state
        while True:
            batches = self.splits.train.epoch(EPOCHS + state.encoder_epoch, skip=state.encoder_batch)
            while True:
                self._seed(state.drawn)
                batch = next(batches, None)
                if batch is None:
                    break
                state.encoder_batch += 1
                state.drawn += 1
                yield self._to_device(batch)
            state.encoder_epoch, state.encoder_batch = state.encoder_epoch + 1, 0

    def _encoder_step(self, batches: Iterator[Batch]) -> tuple[float, float]:
        """One step of the encoder alone; the summed cost of its batch and its tokens or pixels."""
        batch = next(batches)
        self.objective.eval()  # a controller counts the decoder's steps
        loss, _, count = self.module(batch, self.state.step)
        self.objective.train()
        self._backward(loss)
        self._stop(fault_of_loss(loss, self.objective.summands), batch)
        norms = self._clip() if self.options.clip else {}
        if not self._scaled:
            self._stop(fault_of_gradients(norms), batch)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return loss.item() * len(next(iter(batch.values()))), float(count)

    def _seed(self, number: int) -> None:
        """One stream of randomness for each (seed, batch number, rank); splitmix64 keeps them apart."""
        x = (self.options.seed * 0x9E3779B97F4A7C15 + number * 0xBF58476D1CE4E5B9 + self.accelerator.process_index) & (2**64 - 1)
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & (2**64 - 1)
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & (2**64 - 1)
        seed = (x ^ (x >> 31)) >> 1
        # Not torch.manual_seed: without a GPU it keeps a traceback at each call, for the day that CUDA starts.
        torch.default_generator.manual_seed(seed)
        if self.accelerator.device.type == "cuda":
            torch.cuda.manual_seed(seed)

    def _to_device(self, batch: Batch) -> Batch:
        return {name: t.to(self.accelerator.device, non_blocking=True) for name, t in batch.items()}

    def _backward(self, loss: Tensor) -> None:
        if self._scaled:
            self.accelerator.backward(loss)
        else:
            loss.backward()

    def _clip(self) -> dict[str, Tensor]:
        """Clip each player's gradient alone; their norms before."""
        if self._scaled:
            self.accelerator.unscale_gradients(self.optimizer)
        limit = self.options.clip or math.inf
        return {name: nn.utils.clip_grad_norm_(params, limit) for name, (params, _) in self.players.items()}

    def _is_due(self, every: int) -> bool:
        if every:
            return self.state.step % every == 0
        if not len(self.splits.train):
            return False
        per_epoch = len(self.splits.train) // self.accelerator.num_processes / self.options.accumulate
        return int(self.state.step / per_epoch) > int((self.state.step - 1) / per_epoch)

    def _finished(self) -> bool:
        return self.state.finished or bool(self.total_steps and self.state.step >= self.total_steps)

    # --- validation and logs ----------------------------------------------------------------------------------

    def evaluate(self) -> Bound:
        """The unannealed bound on the validation split; leaves training's randomness as it was."""
        assert self.splits.valid is not None, "there is no validation split"
        self.objective.settle(self.model)
        self.model.eval()
        accelerator = self.accelerator
        with torch.random.fork_rng(), accelerator.autocast():
            batches = self.splits.valid.epoch(0, rank=accelerator.process_index, world=accelerator.num_processes)
            self._seed(-1)
            result = bound(
                self.model, (self._to_device(b) for b in batches),
                lambda t: accelerator.reduce(t.to(accelerator.device), "sum").cpu() if accelerator.num_processes > 1 else t,
            )  # fmt: skip
        self.model.train()
        return result

    def _validate(self) -> None:
        state, result = self.state, self.evaluate()
        if not math.isfinite(result.loss):
            raise ValueError(f"the validation loss is {result.loss} at step {state.step}: {REMEDY}; what was saved before is untouched")
        state.evaluated_step = state.step
        better = result.loss < state.best
        figures = {**asdict(result), "loss": result.loss, "best": better}
        if state.aggressive:
            figures["mi"] = self._go_on_aggressively()
        self._write_log("valid", figures)
        self._warn_of_collapse(result)
        state.bad_evaluations = 0 if better else state.bad_evaluations + 1
        if better:
            state.best, state.best_step = result.loss, state.step
        if better or self.options.select == "last":
            self._save_model(figures)

    def _go_on_aggressively(self) -> float:
        """Whether the encoder is trained ahead any longer: not once held-out mutual information, which is returned, has stopped climbing."""
        state, accelerator = self.state, self.accelerator
        self.model.eval()
        with torch.random.fork_rng(), accelerator.autocast():
            self._seed(-2)
            information = held_out_information(self.model, lambda: map(self._to_device, self.splits.valid.epoch(0)))
        self.model.train()
        if information < state.information + CLIMB:
            state.aggressive = False
            logger.info("aggressive training ends at step %d: mutual information %.3f nats after %.3f", state.step, information, state.information)
        state.information = information
        return information

    def _warn_of_collapse(self, result: Bound) -> None:
        weight = self.objective.weights(self.state.step).get("kl", 0.0)
        collapsed = self.state.step >= COLLAPSE_AFTER and weight > 0 and (result.active_units == 0 or result.kl < 0.1)
        if collapsed and not self._told_of_collapse:
            self._told_of_collapse = True
            warnings.warn(
                f"posterior collapse: KL is {result.kl:.3f} nats and {result.active_units} of {result.latent_dim} dimensions are active, so the decoder "
                f"ignores z. `textae doctor {self.out / 'model'}` names the remedies that this model can take; any can have a slower start of the KL, "
                "objective.kl={weight: {schedule: linear, end: 1, steps: 10000}} or {weight: {schedule: cyclical}}, and a smaller weight at its end.", stacklevel=2,
            )  # fmt: skip

    def _fresh_sums(self) -> dict[str, Any]:
        return {"batches": 0, "count": 0, "terms": {}}

    def _log_training(self, sums: dict[str, Any], seconds: float, rate: float, norms: dict[str, Tensor], bar: tqdm) -> None:
        means = {name: float(value) / sums["batches"] for name, value in sums["terms"].items()}
        figures = {
            **means,
            **{f"weight_{n}": w for n, w in self.objective.weights(self.state.step - 1).items()},
            "lr": rate,
            **{f"grad_norm_{n}": float(v) for n, v in norms.items()},
            "per_second": float(sums["count"]) * self.accelerator.num_processes / seconds,
        }
        self._write_log("train", figures)
        bar.set_postfix({n: f"{v:.3g}" for n, v in means.items()}, refresh=False)

    def _write_log(self, split: str, figures: dict[str, Any]) -> None:
        state = self.state
        line = {"step": state.step, "epoch": state.epoch, "split": split, "seconds": round(state.seconds, 2), **figures}
        if self.accelerator.is_main_process:
            with (self.out / "log.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        if self.options.log_with:
            numbers = {f"{split}/{n}": float(v) for n, v in figures.items()}
            self.accelerator.log(numbers, step=state.step)

    def _trim_log(self) -> None:
        """Drop lines that a killed run wrote after its last state."""
        path = self.out / "log.jsonl"
        if self.accelerator.is_main_process and path.is_file():
            kept = [s for s in path.read_text().splitlines() if _step_of(s) is not None and _step_of(s) <= self.state.step]
            path.write_text("".join(f"{s}\n" for s in kept))

    def _bar(self) -> tqdm:
        hidden = not (self.options.progress and self.accelerator.is_main_process and sys.stderr.isatty())
        return tqdm(total=self.total_steps or None, initial=self.state.step, disable=hidden, unit="step", dynamic_ncols=True)

    # --- checkpoints ------------------------------------------------------------------------------------------

    def _stop(self, fault: Fault | None, batch: Batch) -> None:
        """End the run with a fault, where there is one, before the weights see it; its batch and a report stay in `failure/`."""
        if fault is None:
            return
        state, folder = self.state, self.out / "failure"
        report = {
            **asdict(fault), "value": str(fault.value), "step": state.step + 1, "epoch": state.epoch, "batch": state.batch,
            "rank": self.accelerator.process_index, "unweighted": {name: str(float(part)) for name, part in self.objective.summands.items()},
            "weights": self.objective.weights(state.step), "config": self.config,
        }  # fmt: skip
        save_failure(folder, batch, report)
        raise ValueError(
            f"the {fault.what} is {fault.value} at step {state.step + 1}, by {', '.join(fault.blamed)}: {REMEDY}; the batch is in {folder}, "
            "what was saved before is untouched"
        )

    def save(self) -> None:
        """Write a resumable state, and delete the oldest beyond `keep`.

        Raises:
            ValueError: A weight is not finite; nothing is written.
        """
        self.objective.settle(self.model)
        check_weights(self.accelerator.unwrap_model(self.module), self.state.step)
        if self.accelerator.is_main_process:
            module = self.accelerator.unwrap_model(self.module)
            save_state(self.out / "state", module, self.optimizer, self.state, self.config, self.accelerator.scaler, self.options.keep)
        self.accelerator.wait_for_everyone()

    def load(self) -> None:
        """Read the newest state of `out` into model, critics, optimizer and position."""
        folder = latest_state(self.out / "state")
        module = self.accelerator.unwrap_model(self.module)
        self.state = load_state(folder, module, self.optimizer, self.config, self.accelerator.scaler)

    def _save_model(self, figures: dict[str, Any]) -> None:
        self.objective.settle(self.model)
        check_weights(self.accelerator.unwrap_model(self.module), self.state.step)
        if self.accelerator.is_main_process:
            with whole_folder(self.out / "model") as folder:
                self._write_model(folder, {"step": self.state.step, "seconds": self.state.seconds, **figures})
        self.accelerator.wait_for_everyone()


def _step_of(line: str) -> int | None:
    """The step of a log line; None for one that a kill cut off."""
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError):
        return None
