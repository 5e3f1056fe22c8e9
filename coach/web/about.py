"""Who answers here, in plain words: the same facts as JSON and as a page."""

import base64
import hashlib
from html import escape

from coach.bootstrap import Coach
from coach.wire.service import AboutOut

WITHOUT = "A program, not a person. It reads what a manager writes and asks a few open questions, which it chooses from a curated library."
WITH_MODEL = (
    "A program, not a person. It reads what a manager writes and asks a few open questions. A language model, an artificial intelligence, drafts "
    "them; a program checks every sentence, and where the model fails the questions come from a curated library."
)
NOT_DONE = (
    "It gives no advice, no plan and no diagnosis.",
    "It scores, ranks and reports nobody: not the one who writes, not those written about. No field and no figure of it holds such a thing.",
    "It makes out nobody's feelings, and tells no employer anything.",
    "It is not a safety product. It tries to notice when coaching is the wrong answer and shows where help is, and it misses many such moments.",
)


NOTHING = "Nothing is kept, and there is nothing to erase: what you write is in memory while it is answered, and nowhere after."
KEPT = (
    "Nothing is kept unless you ask for it: what you write is in memory while it is answered. What you do ask to keep is kept for {days} days, "
    "or for as many as were asked for, and then erased. You can read it, take it along and erase it before; then it is gone to the last byte."
)


def about(coach: Coach) -> AboutOut:
    """The facts of this service."""
    keeps_nothing = coach.settings.store == "off"
    hosts = [coach.llm.provider.host] if coach.llm else []
    hosts += coach.library.hosts
    return AboutOut(
        what=WITH_MODEL if coach.llm else WITHOUT,
        artificial_intelligence=coach.llm is not None,
        operator=coach.settings.operator or None,
        contact=coach.settings.contact or None,
        sent_to=list(dict.fromkeys(hosts)),
        masked_before=True,
        stored="never" if keeps_nothing else "if asked",
        retention=None if keeps_nothing else f"P{min(coach.settings.retention_days, coach.settings.most_retention_days)}D",
        erase=NOTHING if keeps_nothing else KEPT.format(days=min(coach.settings.retention_days, coach.settings.most_retention_days)),
        not_done=list(NOT_DONE),
        turn_to=f"If somebody is in danger, the local emergency number (112 in many countries), or a helpline: {HELPLINES} lists them.",
        language="en",
    )


HELPLINES = "findahelpline.com"
LINKED = f'<a href="https://{HELPLINES}" rel="noopener noreferrer">{HELPLINES}</a>'
STYLE = (
    "body{font:1.1rem/1.6 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1.2rem;color:#1d2a30;background:#fbfaf7}"
    "h1{font-size:1.7rem;line-height:1.25}h2{font-size:1.1rem;margin-top:2rem}li{margin:.4rem 0}a{color:#0b5c72}"
    "@media(prefers-color-scheme:dark){body{color:#e7ecee;background:#152026}a{color:#8fd3e8}}"
)
STYLE_HASH = "sha256-" + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()


def page(facts: AboutOut) -> str:
    """The same as HTML: no script, nothing from elsewhere."""
    sent = (
        f"They are sent to {escape(' and '.join(facts.sent_to))}. People, companies, products, places, addresses and numbers that the program finds "
        "are replaced before, and put back in what you read. It does not find all of them."
        if facts.sent_to
        else "They do not leave the machine that this runs on."
    )
    run_by = escape(facts.operator) if facts.operator else "whoever gave you this address; they have not entered a name"
    reach = f" You reach them at {escape(facts.contact)}." if facts.contact else ""
    listed = "".join(f"<li>{escape(line)}</li>" for line in facts.not_done)
    body = (
        f'<p><a href="/">Coach</a></p><h1>Who answers here</h1><p>{escape(facts.what)}</p>'
        f"<h2>Who runs it</h2><p>This service is run by {run_by}.{reach}</p>"
        f"<h2>Where your words go</h2><p>{sent}</p>"
        f"<h2>What is kept</h2><p>{escape(facts.erase)}</p>"
        f"<h2>What it does not do</h2><ul>{listed}</ul>"
        f"<h2>Whom to turn to</h2><p>{escape(facts.turn_to).replace(HELPLINES, LINKED)}</p>"
    )
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>About this coach</title><style>{STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body><main>{body}</main></body></html>'
