"""Trains the safety reader from tests/cases/safety_train.jsonl and writes coach/safety/weights.npz. `make safety`.

Each sentence that decides a label is an example of its kind, every other sentence an example of neither. The bounds are set by cross-validation over
texts: the lowest score that at most one ordinary text in a hundred reaches.
"""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from coach.knowledge.signposts import load
from coach.knowledge.where import data_folder
from coach.model import Flag
from coach.safety import _SENTENCE, ENGLISH, plainly
from coach.safety.reader import BUCKETS, features

CASES = Path(__file__).parent.parent / "cases"
OUT = Path(__file__).parent.parent.parent / "coach" / "safety" / "weights.npz"
KINDS = (Flag.CRISIS, Flag.HR_LEGAL)
FOLDS, STRENGTH, WEIGHT = 5, 6.0, 3.0
MOST_FALSE = 0.01


def rows() -> list[dict]:
    """The labelled texts, and the ordinary write-ups that stand elsewhere."""
    found = [
        json.loads(line)
        for name in ("safety_train", "safety_ordinary", "writeups", "writeups_more", "masking_dev")
        for line in (CASES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    kept = [row for row in found if row.get("flag") in {None, Flag.INJECTION} or (row["flag"] in KINDS and "decisive" in row)]
    return [{**row, "flag": None, "decisive": []} if row.get("flag") == Flag.INJECTION else row for row in kept]


def sentences(texts: list[dict]) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Each sentence, prepared; which text it is of; which kind it is: 0 for none."""
    figures = load(data_folder("knowledge")).figures
    found, owners, kinds = [], [], []
    for place, row in enumerate(texts):
        decisive = [plainly(one, ENGLISH) for one in row.get("decisive", ())]
        plain = plainly(row["text"], ENGLISH)
        for match in _SENTENCE.finditer(plain):
            told = match[0].strip()
            if not any(map(str.isalnum, told)):
                continue
            decides = any(told[:40] in one or one.strip()[:40] in told for one in decisive)
            for figure in figures:
                told = figure.find.sub(" ", told)
            found.append(told)
            owners.append(place)
            kinds.append(1 + KINDS.index(row["flag"]) if decides else 0)
    return found, np.asarray(owners), np.asarray(kinds)


def matrix(told: list[str]) -> csr_matrix:
    """One row a sentence."""
    read = [features(one) for one in told]
    places = np.concatenate([[number] * len(columns) for number, (columns, _) in enumerate(read)]).astype(np.int32)
    columns = np.concatenate([columns for columns, _ in read]).astype(np.int32)
    return csr_matrix((np.concatenate([sizes for _, sizes in read]), (places, columns)), (len(told), 2 * BUCKETS))


def fitted(table: csr_matrix, wanted: np.ndarray) -> LogisticRegression:
    """Logistic regression, the rarer kind weighing more."""
    return LogisticRegression(C=STRENGTH, class_weight={False: 1.0, True: WEIGHT}, solver="liblinear", max_iter=500).fit(table, wanted)


def main() -> None:
    """Train, set the bounds, say how well it did on texts that it had not seen, and write."""
    texts = rows()
    told, owners, kinds = sentences(texts)
    table = matrix(told)
    folds = np.random.default_rng(7).integers(0, FOLDS, len(texts))[owners]
    arrays, bounds, bias = {}, {}, {}
    for number, flag in enumerate(KINDS, 1):
        unseen = np.zeros(len(told))
        for fold in range(FOLDS):
            unseen[folds == fold] = fitted(table[folds != fold], kinds[folds != fold] == number).decision_function(table[folds == fold])
        best = np.full(len(texts), -np.inf)
        np.maximum.at(best, owners, unseen)
        ordinary = np.asarray([row["flag"] is None and "decisive" not in row for row in texts])
        near = np.asarray([row["flag"] is None and "decisive" in row for row in texts])
        mine = np.asarray([row["flag"] == flag for row in texts])
        bounds[flag] = float(np.quantile(best[ordinary], 1 - MOST_FALSE))
        shares = [float((best[group] >= bounds[flag]).mean()) for group in (mine, near, ordinary)]
        print(f"{flag}: found {shares[0]:.2f}, near misses taken {shares[1]:.2f}, ordinary ones {shares[2]:.3f} of {ordinary.sum()}")
        for language in ("en", "de", "fr", "es"):
            spoken = np.asarray([row["language"] == language for row in texts])
            print(f"  {language}: {(best[mine & spoken] >= bounds[flag]).mean():.2f}, {(best[near & spoken] >= bounds[flag]).mean():.2f}")
        model = fitted(table, kinds == number)
        arrays[str(flag)] = model.coef_[0].astype(np.float16)
        bias[flag] = float(model.intercept_[0])
    facts = {"bounds": bounds, "bias": bias, "texts": len(texts)}
    raw = io.BytesIO()
    np.savez_compressed(raw, facts=np.asarray(json.dumps(facts)), **arrays)
    with (
        zipfile.ZipFile(raw) as made,
        zipfile.ZipFile(OUT, "w", zipfile.ZIP_DEFLATED) as kept,
    ):  # without the time, so that the same data make the same file
        for name in made.namelist():
            kept.writestr(zipfile.ZipInfo(name), made.read(name), zipfile.ZIP_DEFLATED)
    print(f"{OUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
