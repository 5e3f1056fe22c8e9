"""Minutes and turns: whole, within their limits, adding up to the slot exactly, with equal rounds and roles that go round."""

from collections.abc import Sequence
from dataclasses import dataclass

from coach.errors import SlotMisfit
from coach.sheets import Limits, Phase, Protocol, Role


@dataclass(frozen=True, slots=True)
class Plan:
    """How many rounds, and the minutes of each phase; those of a round hold for every round."""

    rounds: int
    opening: tuple[int, ...]
    round: tuple[int, ...]
    closing: tuple[int, ...]


def total(phases: Sequence[Phase]) -> Limits:
    """What phases take together."""
    summed = Limits(0, 0, 0)
    for phase in phases:
        summed += phase.minutes
    return summed


def takes(protocol: Protocol, rounds: int) -> Limits:
    """What a session of so many rounds takes."""
    return total(protocol.opening) + total(protocol.round).times(rounds) + total(protocol.closing)


def plan(protocol: Protocol, minutes: int, rounds: int) -> Plan:
    """The minutes of every phase. They add up to `minutes` exactly, and every round is as long as the others.

    Raises SlotMisfit with what the slot would have to be.
    """
    whole = takes(protocol, rounds)
    if not whole.least <= minutes <= whole.most:
        raise SlotMisfit(protocol.title, minutes, rounds, whole.least, whole.most)
    around, one = total(protocol.opening) + total(protocol.closing), total(protocol.round)
    wanted = allot((around, one.times(rounds)), minutes)[1] / rounds
    fitting = (each for each in range(one.least, one.most + 1) if around.least <= minutes - each * rounds <= around.most)
    each = min(fitting, key=lambda length: (abs(length - wanted), length))
    outside = allot([phase.minutes for phase in (*protocol.opening, *protocol.closing)], minutes - each * rounds)
    inside = allot([phase.minutes for phase in protocol.round], each)
    return Plan(rounds, outside[: len(protocol.opening)], inside, outside[len(protocol.opening) :])


def allot(limits: Sequence[Limits], minutes: int) -> tuple[int, ...]:
    """Whole minutes for each, within its limits, `minutes` in all: between least and ideal, or between ideal and most, in equal measure.

    `minutes` is between the sums of the least and of the most. What is left of rounding down goes to the largest remainders (Hamilton's method).
    """
    least, ideal = sum(limit.least for limit in limits), sum(limit.ideal for limit in limits)
    short = minutes <= ideal
    base = [limit.least if short else limit.ideal for limit in limits]
    room = [limit.ideal - limit.least if short else limit.most - limit.ideal for limit in limits]
    spare, all_room = minutes - (least if short else ideal), sum(room)
    shares = [divmod(each * spare, all_room) if all_room else (0, 0) for each in room]
    left = spare - sum(whole for whole, _ in shares)
    fullest = sorted(range(len(limits)), key=lambda place: (-shares[place][1], place))[:left]
    return tuple(base[place] + shares[place][0] + (place in fullest) for place in range(len(limits)))


def rounds_that_fit(protocol: Protocol, minutes: int, bringing: int, people: int) -> int:
    """How many rounds for so many who bring a case. Where no number of them fits the slot, the one that comes nearest, so that the fault names that.

    A round for each of them is worth some haste: half of what lies between the least and the ideal. Else as many as there is time for; and where
    their cases do not fill the slot, some of the other people's.
    """
    most = min(people, protocol.most_rounds)

    def fits(count: int, least: float) -> bool:
        return count <= most and least <= minutes <= takes(protocol, count).most

    everybody = takes(protocol, bringing)
    if fits(bringing, (everybody.least + everybody.ideal) / 2):
        return bringing
    fewer = range(min(bringing, most), 0, -1)
    at_ease = (count for count in fewer if fits(count, takes(protocol, count).ideal))
    at_all = (count for count in (*fewer, *range(bringing + 1, most + 1)) if fits(count, takes(protocol, count).least))
    return next(at_ease, None) or next(at_all, None) or nearest_rounds(protocol, minutes, most)


def nearest_rounds(protocol: Protocol, minutes: int, most: int) -> int:
    """The number of rounds, at most so many, whose minutes come nearest to the slot."""

    def beside(count: int) -> int:
        limits = takes(protocol, count)
        return max(limits.least - minutes, minutes - limits.most, 0)

    return min(range(1, most + 1), key=lambda count: (beside(count), count))


def roles_of(protocol: Protocol, order: Sequence[str], turn: int) -> dict[str, Role]:
    """Who holds which role when it is the turn of `order[turn]`: over all turns everybody holds every role once, over fewer nobody twice."""
    held = {order[turn]: protocol.giver}
    for step, role in enumerate(protocol.held, start=1):
        held[order[(turn + step) % len(order)]] = role
    return {alias: held.get(alias, protocol.rest) for alias in order}
