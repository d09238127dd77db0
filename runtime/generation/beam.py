"""Beam search: the likeliest texts are kept at each step, so many for each sample."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any


class Beams:
    """The `width` likeliest texts of each of `samples`, ended ones among them.

    Texts compete by the sum of the logarithms of their tokens' shares. At each step every text that has not ended is
    tried with every token, those that have stay as they are, and the best `width` of all are kept. Rows of scores and
    of caches are samples by texts: row `sample · width + text`.
    """

    def __init__(self, samples: int, width: int, stop: int | None) -> None:
        self.samples, self.width, self.stop = samples, width, stop
        self.totals = np.full((samples, width), -np.inf)
        self.totals[:, 0] = 0  # texts that begin alike are one text
        self.ended = np.zeros((samples, width), bool)

    def advance(self, log_shares: Array, forced: Array) -> tuple[Array, Array]:
        """The rows that the kept texts go on from, and their next tokens, both i64[samples · width].

        `log_shares` are f64[samples · width, entries]; `forced` gives each sample's token where its prompt still says
        it, else -1. A text that has ended goes on from itself with whatever token.
        """
        entries = log_shares.shape[1]
        totals = self.totals[:, :, None] + log_shares.reshape(self.samples, self.width, entries)
        totals[self.ended] = -np.inf
        totals[self.ended, 0] = self.totals[self.ended]
        flat = totals.reshape(self.samples, -1)
        order = np.argsort(-flat, axis=1, kind="stable")[:, : self.width]
        if order.shape[1] < self.width:  # fewer candidates than places
            order = np.pad(order, ((0, 0), (0, self.width - order.shape[1])), mode="edge")
        texts, tokens = order // entries, order % entries
        kept = np.take_along_axis(flat, order, axis=1)
        is_forced = forced >= 0
        texts[is_forced] = np.arange(self.width)
        tokens[is_forced] = forced[is_forced, None]
        self.totals = np.where(is_forced[:, None], self.totals, kept)
        self.ended = np.take_along_axis(self.ended, texts, axis=1)
        if self.stop is not None:
            self.ended |= (tokens == self.stop) & ~is_forced[:, None]
        rows = texts + self.width * np.arange(self.samples)[:, None]
        return rows.reshape(-1), tokens.reshape(-1)

    @property
    def finished(self) -> bool:
        """Whether no text can get better: all have ended, or can never be."""
        return bool((self.ended | np.isneginf(self.totals)).all())
