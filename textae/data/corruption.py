"""Noise on a padded batch of token ids: what the encoder sees is corrupted, what the decoder must say stays clean.

Everything is drawn from torch's global generator, which the caller seeds. Shapes: B examples, T tokens.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Corruption:
    """Corrupts encoder input: shuffle, then drop, then mask, then substitute; each on what the ones before left.

    Source: Lample et al. 2018, sec. 2.3 (shuffle and drop); the four, in this order: Shen et al. 2020, the code of
    sec. 5. A rate of 0 draws nothing, so it leaves the random stream of the others as it was.

    Args:
        drop: Probability of removing each token; one free token of every row, drawn evenly, survives even 1.0.
        mask: Probability of replacing each token by `mask_id`.
        substitute: Probability of replacing each token by an ordinary one drawn evenly, possibly itself.
        shuffle: Window k: tokens are sorted by position + U(0, k), so none moves by more than k - 1 places, and 0 or 1
            leaves the order alone. Lample et al.'s largest distance is k - 1 (they use 3, so `shuffle=4`).
        protect_last: Leave each row's last token, its eos, as it is and where it is. The other tokens are "free".
    """

    drop: float = 0.0
    mask: float = 0.0
    substitute: float = 0.0
    shuffle: int = 0
    protect_last: bool = True

    def __post_init__(self):
        for name in ("drop", "mask", "substitute"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; a probability lies between 0 and 1.")
        if not isinstance(self.shuffle, int) or self.shuffle < 0:
            raise ValueError(f"shuffle is {self.shuffle}; it must be a whole number of tokens, 0 or more.")

    def __call__(
        self,
        ids_BT: Tensor,
        mask_BT: Tensor,
        *,
        mask_id: int,
        vocab_size: int,
        first_ordinary_id: int = 5,
        pad_id: int = 0,
    ) -> tuple[Tensor, Tensor]:
        """Corrupts a batch; its tensors stay as they are.

        Args:
            ids_BT: Token ids, padded on the right.
            mask_BT: 1 or True for tokens, 0 or False for padding.
            mask_id: What `mask` writes.
            vocab_size: One more than the largest id that `substitute` draws.
            first_ordinary_id: The smallest one; below it are special tokens.
            pad_id: What is written behind a row that `drop` made shorter.

        Returns:
            New ids and new mask, both (B, T) and of the same types; padding that was there is still there.

        Raises:
            ValueError: If padding is not on the right, or `substitute` has no ordinary ids to draw from.
        """
        if self.substitute and vocab_size <= first_ordinary_id:
            raise ValueError(
                f"vocab_size is {vocab_size}; substitute draws ids from {first_ordinary_id} up to below it."
            )
        valid_BT = mask_BT.bool()
        if (valid_BT[:, 1:] & ~valid_BT[:, :-1]).any():
            raise ValueError("mask_BT has padding before tokens; corruption needs rows padded on the right.")
        ids_BT = ids_BT.clone()
        position_T = torch.arange(ids_BT.size(1), device=ids_BT.device)
        free_BT = valid_BT
        if self.protect_last:
            free_BT = position_T < valid_BT.sum(dim=1, keepdim=True) - 1

        if self.shuffle > 1:
            # Fixed tokens stand behind the free ones of their row; with + k they sort behind them, in their order.
            noise_BT = torch.rand(ids_BT.shape, device=ids_BT.device).masked_fill(~free_BT, 1.0) * self.shuffle
            ids_BT = ids_BT.gather(1, (position_T + noise_BT).argsort(dim=1, stable=True))
        if self.drop:
            draw_BT = torch.rand(ids_BT.shape, device=ids_BT.device).masked_fill(~free_BT, -1.0)
            kept_BT = (draw_BT >= self.drop) | (draw_BT == draw_BT.amax(dim=1, keepdim=True))  # the largest survives
            dropped_BT = free_BT & ~kept_BT
            # Sorted into: kept tokens, dropped ones, the padding that was there.
            order_BT = (dropped_BT + 2 * (~valid_BT)).argsort(dim=1, stable=True)
            ids_BT = ids_BT.gather(1, order_BT).masked_fill(dropped_BT.gather(1, order_BT), pad_id)
            free_BT = (free_BT & kept_BT).gather(1, order_BT)
            valid_BT = (valid_BT & ~dropped_BT).gather(1, order_BT)
        if self.mask:
            ids_BT[free_BT & (torch.rand(ids_BT.shape, device=ids_BT.device) < self.mask)] = mask_id
        if self.substitute:
            random_BT = torch.randint_like(ids_BT, first_ordinary_id, vocab_size)
            chosen_BT = free_BT & (torch.rand(ids_BT.shape, device=ids_BT.device) < self.substitute)
            ids_BT = torch.where(chosen_BT, random_BT, ids_BT)
        return ids_BT, valid_BT.to(mask_BT.dtype, copy=True)


def word_dropout(decoder_input_ids_BT: Tensor, rate: float, *, replacement_id: int, keep_first: bool = True) -> Tensor:
    """Replaces decoder inputs at random, so that a strong decoder must use z to know what came before.

    Padding may be replaced too: a causal decoder does not see it before the last target, and its targets do not count.

    Source: Bowman et al. 2016, sec. 3.1, with a keep rate of 1 - `rate`.

    Args:
        decoder_input_ids_BT: Inputs of teacher forcing; not modified.
        rate: Probability of replacing each, 0 to 1 (a decoder without any words to look at).
        replacement_id: Usually `<unk>`.
        keep_first: Leave the first column, bos, alone.

    Returns:
        New ids, shape (B, T).

    Raises:
        ValueError: If `rate` is not a probability.
    """
    if not 0 <= rate <= 1:
        raise ValueError(f"rate is {rate}; a probability lies between 0 and 1.")
    if not rate:
        return decoder_input_ids_BT.clone()
    replaced_BT = torch.rand(decoder_input_ids_BT.shape, device=decoder_input_ids_BT.device) < rate
    if keep_first:
        replaced_BT[:, 0] = False
    return decoder_input_ids_BT.masked_fill(replaced_BT, replacement_id)
