"""A receipt as Markdown, as JSON, and its confusion matrix as a picture (SVG)."""

import json
from collections.abc import Iterable, Sequence
from html import escape

from coach import guard
from coach.receipt.measure import LABELS, Judged, Measured, MeasuredAdvice

CELL, LEFT, TOP = 64, 150, 120
SHOWN = 25  # failures of a kind that are printed; the JSON holds all


def markdown(sets: Sequence[Measured], forums: Sequence[MeasuredAdvice], made: str) -> str:
    """The whole receipt for people."""
    lines = [
        "# Receipt of the guard",
        "",
        f"Guard {guard.VERSION}. {made} No sentence here was trained on, and no bound was set by one. Shares are of the sentences of a set.",
        "",
        "![Confusion matrix of the first set](confusion.svg)",
        "",
        "| set | sentences | accuracy | directive let through | good kept | right reason | open or closed | directive F1 |",
        "|---|---|---|---|---|---|---|---|",
        *(_summary(one) for one in sets),
        "",
    ]
    if forums:
        lines += [
            "Advice against the rest where only that is labelled; recall at 30% false alarms is for sentences that end in a question mark.",
            "",
            "| set | sentences | precision | recall | F1 | questions | their recall | their false alarms | recall at 30% |",
            "|---|---|---|---|---|---|---|---|---|",
            *(_forum(one) for one in forums),
            "",
        ]
    lines += ["How far people agree:", "", *(f"- {name}: {agreement}." for name, agreement in _agreements(sets, forums)), ""]
    for one in sets:
        lines += _detail(one)
    return "\n".join(lines)


def as_json(sets: Sequence[Measured], forums: Sequence[MeasuredAdvice], made: str) -> str:
    """The same for programs, with every failure."""
    told = {
        "guard": guard.VERSION,
        "made": made,
        "sets": [
            {
                "name": one.name,
                "sentences": len(one.judged),
                "agreement": one.agreement,
                "accuracy": one.accuracy,
                "directive_let_through": one.directive_through,
                "good_kept": one.kept,
                "right_reason": one.right_reason,
                "open_or_closed": one.open_closed,
                "by_label": {label: dict(zip(("precision", "recall", "f1"), one.of(label), strict=True)) for label in LABELS},
                "matrix": one.matrix,
                "false_accepts": [_failure(failure, one) for failure in one.through()],
                "false_refusals": [_failure(failure, one) for failure in one.refused()],
            }
            for one in sets
        ],
        "forums": [
            {
                "name": one.name,
                "sentences": one.sentences,
                "questions": one.questions,
                "agreement": one.agreement,
                "precision": one.precision,
                "recall": one.recall,
                "f1": one.f1,
                "question_recall": one.question_recall,
                "question_false_alarms": one.question_false_alarms,
                "question_recall_at_30": one.recall_at,
            }
            for one in forums
        ],
    }
    return json.dumps(told, indent=1, ensure_ascii=False) + "\n"


def picture(one: Measured) -> str:
    """The confusion matrix: a row for each label given, a column for each said, darker where more of the row."""
    size = CELL * len(LABELS)
    cells = [_cell(one.matrix[label], label, said, row, column) for row, label in enumerate(LABELS) for column, said in enumerate(LABELS)]
    rows = [_text(LEFT - 10, TOP + CELL * place + CELL / 2 + 5, label, "end") for place, label in enumerate(LABELS)]
    columns = [
        f'<g transform="translate({LEFT + CELL * place + CELL / 2 + 4},{TOP - 12}) rotate(-45)">{_text(0, 0, said, "start")}</g>'
        for place, said in enumerate(LABELS)
    ]
    title, key = one.name, f"{len(one.judged)} sentences: rows as labelled, columns as the guard said"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + size + 90} {TOP + size + 70}" role="img" '
        f'aria-label="{escape(title)}; {escape(key)}" '
        'font-family="system-ui, sans-serif" font-size="14">'
        '<rect width="100%" height="100%" fill="#fff"/>'
        + "".join((*cells, *rows, *columns))
        + _text(10, TOP + size + 30, title, "start")
        + _text(10, TOP + size + 52, key, "start", "#666")
        + "</svg>\n"
    )


def _cell(counts: dict[str, int], label: str, said: str, row: int, column: int) -> str:
    share = counts[said] / max(sum(counts.values()), 1)
    paint = "#1d6f5c" if label == said else "#b3452c"
    left, top = LEFT + CELL * column, TOP + CELL * row
    box = f'<rect x="{left}" y="{top}" width="{CELL - 2}" height="{CELL - 2}" fill="{paint}" fill-opacity="{0.04 + 0.9 * share:.2f}"/>'
    return box + _text(left + CELL / 2, top + CELL / 2 + 5, str(counts[said]), "middle", "#fff" if share > 0.5 else "#222") if counts[said] else box


def _text(left: float, top: float, words: str, anchor: str, paint: str = "#222") -> str:
    return f'<text x="{left:g}" y="{top:g}" text-anchor="{anchor}" fill="{paint}">{escape(words)}</text>'


def _summary(one: Measured) -> str:
    shares = (one.accuracy, one.directive_through, one.kept, one.right_reason, one.open_closed, one.of("directive")[2])
    return f"| {one.name} | {len(one.judged)} | " + " | ".join(map(_figure, shares)) + " |"


def _forum(one: MeasuredAdvice) -> str:
    first = " | ".join(map(_figure, (one.precision, one.recall, one.f1)))
    asked = " | ".join(map(_figure, (one.question_recall, one.question_false_alarms, one.recall_at)))
    return f"| {one.name} | {one.sentences} | {first} | {one.questions} | {asked} |"


def _agreements(sets: Iterable[Measured], forums: Iterable[MeasuredAdvice]) -> list[tuple[str, str]]:
    told: dict[str, list[str]] = {}
    for name, agreement in [*((one.name, one.agreement) for one in sets), *((one.name, one.agreement) for one in forums)]:
        told.setdefault(agreement, []).append(name)
    return [("; ".join(names), agreement) for agreement, names in told.items()]


def _detail(one: Measured) -> list[str]:
    used = [label for label in LABELS if sum(one.matrix[label].values())]
    lines = [f"## {one.name[0].upper()}{one.name[1:]}", "", "| label | sentences | precision | recall | F1 |", "|---|---|---|---|---|"]
    lines += [f"| {label} | {sum(one.matrix[label].values())} | " + " | ".join(map(_figure, one.of(label))) + " |" for label in used]
    lines += _failures("Let through", one.through(), one) + _failures("Refused without need", one.refused(), one)
    return [*lines, ""]


def _failures(title: str, failures: Sequence[Judged], one: Measured) -> list[str]:
    if not failures:
        return []
    more = f", the first {SHOWN} of them (receipt.json has all)" if len(failures) > SHOWN else ""
    shown = [f"- {failure.row.text if one.ours else failure.row.id} *({failure.label}; said {failure.said})*" for failure in failures[:SHOWN]]
    return ["", f"{title}: {len(failures)}{more}", "", *shown]


def _failure(failure: Judged, one: Measured) -> dict[str, object]:
    verdict = failure.verdict
    return {"id": failure.row.id, "text": failure.row.text if one.ours else None, "label": failure.label, "said": failure.said, "rule": verdict.rule}


def _figure(share: float | None) -> str:
    return "" if share is None else f"{share:.3f}"
