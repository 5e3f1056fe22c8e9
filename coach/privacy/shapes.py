"""What identifies somebody by its shape alone: addresses, links, numbers. Generous: whatever looks like one is taken for one."""

import re
from collections.abc import Iterator

from coach.privacy.spans import Kind, Span

_EMAIL = re.compile(r"(?<![\w.+%-])[\w.+%’'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){0,6}")
_URL = re.compile(
    r"\b(?:https?://|www\.)[^\s<>\"”]+[^\s<>\"”.,;:!?)\]’']|(?<![\w.-])[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,4}\.(?:com|org|net|co|io|de|at|ch|fr|es|uk|eu|ie|us|example|info|biz)\b(?:/\S*)?",
    re.IGNORECASE,
)
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
_DATE = re.compile(r"\b\d{1,2}[./-]\d{1,2}[./-](?:19|20)?\d{2}\b|\b(?:19|20)\d\d-\d{2}-\d{2}\b")
_DIGITS = re.compile(r"(?<![\w.,])(?:\+|\(|00)?\d(?:[\d().\-/ \u00a0\u2009]*\d)?(?:\s?(?:x|ext\.?)\s?\d{1,6})?(?![\w])", re.IGNORECASE)
_SUM = re.compile(r"\d{1,3}(?:[ .,\u00a0\u2009’']\d{3})+(?:[.,]\d{1,2})?|\d+[.,]\d+")
_YEARS = re.compile(r"(?:19|20)\d\d ?[-/–] ?(?:(?:19|20)\d\d|\d\d)")
_TIMES = re.compile(r"\d{1,2}[.:]\d{2}(?: ?[-–] ?\d{1,2}[.:]\d{2})?")
_CODE = re.compile(r"(?<![\w/-])[A-Za-z]{1,5}[-/]?\d[\w/-]{2,40}\b")
_NAMED = re.compile(
    r"\b(?:no|nr|number|numéro|numero|nummer|staff|employee|badge|collar|account|konto|compte|cuenta|ref|reference|ticket|ext|extension|durchwahl|poste"
    r"|payroll|personalnummer|matricule|legajo|id|dob|born|geboren|né|née|nacid[oa])\b"
    r"[^\w\n]{0,3}(?:\w{1,12}[^\w\n]{1,3}){0,3}?(?P<number>\d[\d/.-]{2,})",
    re.IGNORECASE,
)
_STREET = re.compile(
    r"\b\d{1,5}[a-z]?,? (?:[^\W\d_a-z][\w'’-]+ ){1,3}"
    r"(?:Street|St|Road|Rd|Avenue|Ave|Lane|Terrace|Drive|Close|Court|Square|Way|Gardens|Place|Boulevard|Blvd)\b"
    r"|\b[^\W\d_a-z]\w+(?:straße|strasse|gasse|weg|platz|allee) \d{1,4}[a-z]?\b"
    r"|\b(?:\d{1,4},? )?(?:rue|avenue|boulevard|calle|avenida|plaza) "
    r"(?:[\w'’-]+ ){0,3}[^\W\d_a-z][\w'’-]+(?:,? \d{1,4})?"
)
MOST_OF_A_SUM = 7  # digits; a longer number is no amount of money
FEWEST_DIGITS = 5  # of a number that may be a telephone's, a person's or an account's


def find(text: str) -> Iterator[Span]:
    """Every such shape; they may overlap."""
    for kind, pattern in (
        (Kind.EMAIL, _EMAIL),
        (Kind.LINK, _URL),
        (Kind.NUMBER, _IBAN),
        (Kind.DATE, _DATE),
        (Kind.NUMBER, _CODE),
        (Kind.PLACE, _STREET),
    ):
        for match in pattern.finditer(text):
            yield Span(*match.span(), kind)
    for match in _NAMED.finditer(text):
        yield Span(*match.span("number"), Kind.NUMBER)
    for match in _DIGITS.finditer(text):
        told = match[0]
        digits = sum(map(str.isdigit, told))
        if digits > MOST_OF_A_SUM or (digits >= FEWEST_DIGITS and not any(plain.fullmatch(told) for plain in (_SUM, _YEARS, _TIMES))):
            yield Span(*match.span(), Kind.NUMBER)
