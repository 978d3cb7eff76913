"""Times of UTC as the local time of a time zone, and back."""

import re
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy as np

# The time zone in the dtype of a column, of pandas or polars: its name comes last.
ZONE = re.compile(r"(?:ns|us|ms|s), (?:tz=)?([^\]]+)\]|time_zone='([^']+)'")
OFFSET = re.compile(r"(?:UTC)?([+-])(\d\d):(\d\d)(?::(\d\d))?")
# Python's dates, in seconds since 1970, with a day at both ends for the offset.
FIRST, LAST = -62_135_510_400, 253_402_214_400
DAY = 86_400
# Times are counted in local time where its most frequent time of the day is so many times as frequent.
MORE_FREQUENT = 1.2


def zone_of(dtype):
    """Return the time zone that the name of a dtype holds, None without one; ValueError for an unknown name."""
    found = ZONE.search(dtype)
    if not found:
        return None
    name = found.group(1) or found.group(2)
    offset = OFFSET.fullmatch(name)
    if offset:
        sign, *parts = offset.groups(default="0")
        hours, minutes, seconds = (int(f"{sign}{part}") for part in parts)
        return timezone(timedelta(hours=hours, minutes=minutes, seconds=seconds))
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        raise ValueError(f"there is no time zone {name!r} here") from None


def to_local(counts, per_second, zone):
    """Return int64 counts since 1970 in UTC, so many a second, as counts in the local time of a zone."""
    return counts + _offsets(counts // per_second, zone, is_local=False) * per_second


def from_local(counts, per_second, zone):
    """Return int64 counts since 1970 in the local time of a zone as counts in UTC.

    A time that occurs twice, as clocks go back, is the first one; one that they skip lies as far behind the jump.
    """
    return counts - _offsets(counts // per_second, zone, is_local=True) * per_second


def is_rather_local(counts, per_second, zone):
    """Return whether times of UTC fall on the same time of the day clearly more often in local time."""
    local = to_local(counts, per_second, zone)
    return bool(_top_share(local, per_second) > MORE_FREQUENT * _top_share(counts, per_second))


def _top_share(counts, per_second):
    return np.unique(np.mod(counts, DAY * per_second), return_counts=True)[1].max() / len(counts)


def _offsets(seconds, zone, *, is_local):
    """Return how far a zone's local time is ahead of UTC at times of either, in seconds: int64."""
    distinct, inverse = np.unique(seconds, return_inverse=True)
    found = np.empty(len(distinct), dtype=np.int64)
    for index, second in enumerate(np.clip(distinct, FIRST, LAST).tolist()):
        time = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=second)
        time = time.replace(tzinfo=zone) if is_local else time.astimezone(zone)
        found[index] = round(time.utcoffset().total_seconds())
    return found[inverse]
