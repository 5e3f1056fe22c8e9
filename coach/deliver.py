"""The use-case of telling receivers what happened: take what is due, send each, and note how it went."""

import logging
from collections.abc import Callable
from datetime import datetime
from secrets import SystemRandom

from coach import ids
from coach.ports import Courier, Outbox
from coach.webhooks import GONE, Outcome, Taken, Webhook, again, ping, signed

log = logging.getLogger("coach")
_chance = SystemRandom().random


async def deliver(taken: Taken, outbox: Outbox, courier: Courier, now: Callable[[], datetime], chance: Callable[[], float] = _chance) -> Outcome:
    """Send what was taken. What fails comes again later; who fails for a day, or says that it wants no more, is turned off.

    At least once: what was sent and could not be noted is sent again when the lease is over, under the same id. Errors: JournalFault.
    """
    webhook = taken.webhook
    outcome = await courier.send(webhook.url, signed(taken.id, taken.body, webhook.key, now()), taken.body)
    if outcome.delivered:
        await outbox.delivered(taken)
        return outcome
    wait = again(taken.tries, chance(), outcome.wait)
    if await outbox.failed(taken, str(outcome), now() + wait if wait else None, gone=outcome.status == GONE):
        log.warning("webhook %s is off: it failed for a day, or wants no more", webhook.id)
    return outcome


async def trial(webhook: Webhook, outbox: Outbox, courier: Courier, at: datetime) -> Outcome:
    """Send a ping at once. Where it is taken, a webhook that was turned off is on again. Errors: JournalFault."""
    content = ping(webhook, at)
    outcome = await courier.send(webhook.url, signed(ids.new("msg"), content, webhook.key, at), content)
    if outcome.delivered:
        await outbox.well(webhook.id)
    return outcome
