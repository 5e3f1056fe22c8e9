"""Train the guard's head from the labelled sentences: `make head` (half an hour to an hour on two cores; needs torch, see pyproject's extra `train`).

Learns from the parts `train` and `dev` of tests/cases/guard.jsonl and from the question bank; the part `test` and guard_unseen.jsonl are not
read. The two bounds are set by cross-validation on the same sentences, whole families at a time. Seeds are fixed.
"""

import hashlib
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from coach import encoder
from coach.guard import rules
from coach.guard.head import CLASSES, MOST_TOKENS
from coach.guard.phrases import pack
from coach.guard.sentence import read
from coach.receipt.sets import Row
from tests.head.data import bank, digest, labelled

OUT = Path(__file__).parents[2] / "coach" / "guard" / "head.npz"

LAYERS, WIDTH, INNER, ATTENTION_HEADS = 1, 96, 192, 4
MEMBERS, EPOCHS, BATCH, RATE, DECAY, DROPOUT, SMOOTHING = 3, 16, 64, 1e-3, 0.05, 0.2, 0.05
FOLDS, CROSS_MEMBERS = 5, 3  # bounds for as many members as are trained in the end
MOST_DIRECTIVE_THROUGH = 0.03  # of the directive sentences, at the bounds that are set
torch.use_deterministic_algorithms(mode=True)
torch.set_num_threads(2)


class Sentences:
    """Labelled sentences as the encoder reads them, padded to one length."""

    def __init__(self, rows: Sequence[Row]) -> None:
        """Encode each row once."""
        reader = encoder.shared()
        self.states = torch.zeros(len(rows), MOST_TOKENS, 2 * encoder.DIMENSIONS, dtype=torch.float16)
        self.lengths = torch.zeros(len(rows), dtype=torch.long)
        for place, row in enumerate(rows):
            found = reader.middle(reader.tokens(read(row.text).told[0]).ids[: MOST_TOKENS - 2])
            self.states[place, : len(found)] = torch.from_numpy(found)
            self.lengths[place] = len(found)
            if sys.stderr.isatty():
                print(f"\rencoding {place + 1} of {len(rows)}", end="", file=sys.stderr)
        self.labels = torch.tensor([CLASSES.index(row.reason) for row in rows])

    def batch(self, places: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Token vectors (rows, tokens, 768) and which of them are tokens at all."""
        lengths = self.lengths[places]
        longest = int(lengths.max())
        return self.states[places, :longest].float(), torch.arange(longest)[None, :] < lengths[:, None]


class Network(nn.Module):
    """What coach/guard/head.py computes, for training."""

    def __init__(self) -> None:
        """Random weights from torch's seed."""
        super().__init__()
        self.project = nn.Linear(2 * encoder.DIMENSIONS, WIDTH)
        self.place = nn.Parameter(torch.randn(MOST_TOKENS, WIDTH) * 0.02)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(WIDTH, ATTENTION_HEADS, INNER, DROPOUT, gelu, batch_first=True, norm_first=True) for _ in range(LAYERS)
        )
        self.norm = nn.LayerNorm(WIDTH)
        self.drop = nn.Dropout(DROPOUT)
        self.out = nn.Linear(2 * WIDTH, len(CLASSES))

    def forward(self, states: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """Scores of the classes (rows, classes)."""
        rows = self.project(self.drop(states)) + self.place[: states.shape[1]]
        for layer in self.layers:
            rows = layer(rows, src_key_padding_mask=~real)
        rows = self.norm(rows)
        mask = real.unsqueeze(-1)
        mean = (rows * mask).sum(1) / mask.sum(1)
        highest = rows.masked_fill(~mask, -1e4).max(1).values
        return self.out(self.drop(torch.cat([mean, highest], 1)))


def gelu(values: torch.Tensor) -> torch.Tensor:
    """The form that head.py computes."""
    return functional.gelu(values, approximate="tanh")


def fit(data: Sentences, places: Sequence[int], seed: int) -> Network:
    """Train one member on some of the sentences."""
    torch.manual_seed(seed)
    chance = random.Random(seed)
    network = Network().train()
    order = list(places)
    steps = EPOCHS * -(-len(order) // BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps + 1, pct_start=0.1)
    for _ in range(EPOCHS):
        for batch in _batches(order, data.lengths, chance):
            loss = functional.cross_entropy(network(*data.batch(batch)), data.labels[batch], label_smoothing=SMOOTHING)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    return network.eval()


def _batches(order: list[int], lengths: torch.Tensor, chance: random.Random) -> list[list[int]]:
    """Sentences of like length together: less padding."""
    chance.shuffle(order)
    pools = [sorted(order[low : low + BATCH * 16], key=lengths.__getitem__) for low in range(0, len(order), BATCH * 16)]
    batches = [pool[low : low + BATCH] for pool in pools for low in range(0, len(pool), BATCH)]
    chance.shuffle(batches)
    return batches


def likely(network: Network, data: Sentences, places: Sequence[int]) -> np.ndarray:
    """Probabilities of the classes (rows, classes)."""
    with torch.no_grad():
        parts = [network(*data.batch(places[low : low + 256])).softmax(1) for low in range(0, len(places), 256)]
    return torch.cat(parts).numpy()


def bounds(rows: Sequence[Row], data: Sentences) -> dict[str, float]:
    """The bounds at which at most 3% of the directive sentences pass and most good ones do, by cross-validation over whole families."""
    fold = [int(hashlib.sha256(row.family.encode()).hexdigest(), 16) // 20 % FOLDS for row in rows]
    found = np.zeros((len(rows), len(CLASSES)))
    for number in range(FOLDS):
        inside = [place for place in range(len(rows)) if fold[place] != number]
        outside = [place for place in range(len(rows)) if fold[place] == number]
        found[outside] = np.mean([likely(fit(data, inside, seed), data, outside) for seed in range(CROSS_MEMBERS)], axis=0)
        print(f"fold {number + 1} of {FOLDS} done", file=sys.stderr)
    asked = [place for place, row in enumerate(rows) if row.kind == "coach" and not row.hard]  # bounds are for what is usually said to managers
    return choose(found[asked], [rows[place] for place in asked])


def ruled_out(row: Row) -> bool:
    """Whether the rules refuse it without the head."""
    sentence = read(row.text)
    return any(True for _ in rules.structure(sentence)) or any(True for _ in rules.phrases(sentence, pack("en")))


def choose(found: np.ndarray, rows: Sequence[Row]) -> dict[str, float]:
    """Of all pairs of bounds at which rules and head together hold the 3%, the one that keeps most good questions."""
    good = np.asarray([row.reason is None for row in rows])
    directive = np.asarray([row.reason == "directive" for row in rows])
    left = ~np.asarray([ruled_out(row) for row in rows])
    best = (-1.0, 0.5, 0.5)
    for accept in np.arange(0.3, 0.96, 0.01):
        for against in np.arange(0.04, 0.5, 0.01):
            passes = left & (found[:, 0] >= accept) & (found[:, 1] < against)
            if passes[directive].mean() <= MOST_DIRECTIVE_THROUGH:
                best = max(best, (float(passes[good].mean()), float(accept), float(against)))
    print(f"cross-validated: {best[0]:.3f} of the good ones kept at accept >= {best[1]:.2f}, directive < {best[2]:.2f}", file=sys.stderr)
    return {"accept": round(best[1], 2), "directive": round(best[2], 2)}


def arrays(network: Network, prefix: str) -> dict[str, np.ndarray]:
    """The weights under the names of head.py, matrices as (in, out), half precision."""
    state = network.state_dict()
    names = {"project": "project", "norm": "norm", "out": "out"}
    for number in range(LAYERS):
        there = f"layers.{number}."
        names |= {
            f"{number}.norm1": f"{there}norm1", f"{number}.norm2": f"{there}norm2",
            f"{number}.attention_out": f"{there}self_attn.out_proj", f"{number}.wide": f"{there}linear1", f"{number}.narrow": f"{there}linear2",
        }  # fmt: skip
    found = {"place": state["place"]}
    for ours, theirs in names.items():
        found |= {ours: state[f"{theirs}.weight"].T, f"{ours}_bias": state[f"{theirs}.bias"]}
    for number in range(LAYERS):
        inward = f"layers.{number}.self_attn.in_proj_"
        found |= {f"{number}.attention_in": state[f"{inward}weight"].T, f"{number}.attention_in_bias": state[f"{inward}bias"]}
    return {prefix + name: np.ascontiguousarray(value.numpy().astype(np.float16)) for name, value in found.items()}


def main() -> None:
    """Read, cross-validate, train, write."""
    rows = [row for row in labelled() if row.language == "en" and row.part != "test"]
    everything = [*rows, *bank()]
    data = Sentences(everything)
    facts: dict[str, object] = {"members": MEMBERS, "data": digest(rows), "sentences": len(everything), **bounds(rows, data)}
    members = [fit(data, range(len(everything)), seed) for seed in range(MEMBERS)]
    weights = {name: value for seed, member in enumerate(members) for name, value in arrays(member, f"{seed}.").items()}
    np.savez(OUT, facts=np.asarray(json.dumps(facts)), **weights)
    print(f"{OUT.name}: {OUT.stat().st_size / 1e3:.0f} kB, {json.dumps(facts)}", file=sys.stderr)


if __name__ == "__main__":
    main()
