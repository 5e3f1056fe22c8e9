"""How a verdict becomes what travels over HTTP (coach/wire)."""

from coach.guard import Verdict
from coach.wire.checks import FindingOut, SpanOut, VerdictOut


def verdict_out(verdict: Verdict) -> VerdictOut:
    """A verdict as it is sent."""
    findings = [FindingOut(finding.reason, finding.rule, SpanOut(*finding.span), finding.message) for finding in verdict.findings]
    first = findings[0] if findings else None
    return VerdictOut(
        accept=verdict.accept,
        reason=verdict.reason,
        rule=verdict.rule,
        span=first.span if first else None,
        message=verdict.message,
        language=verdict.language,
        scope=verdict.scope,
        findings=findings,
        likely=dict(verdict.likely),
    )
