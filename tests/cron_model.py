# SPDX-License-Identifier: Apache-2.0
"""An independent model of scheduler/engine/cron.h, to compare with: SEED NUMBER on the command line.

It knows nothing of segments or bits: it lists the times that a clock on the wall
shows, day by day, and asks zoneinfo when that is. One line a case:

    cron TAB zone TAB after TAB next next next
"""
import datetime
import random
import sys
import zoneinfo

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca",
         "Pacific/Apia", "Asia/Kathmandu", "America/St_Johns", "Africa/Cairo", "Asia/Tehran",
         "America/Sao_Paulo", "Antarctica/Troll", "Europe/Dublin", "Pacific/Chatham"]
UTC = datetime.timezone.utc
MINUTE = datetime.timedelta(minutes=1)
DAY = datetime.timedelta(days=1)


def part(low, high):
    """A field and the set that it stands for."""
    kind = random.random()
    if kind < 0.35:
        return "*", set(range(low, high + 1))
    if kind < 0.5:
        step = random.randint(2, 7)
        return f"*/{step}", set(range(low, high + 1, step))
    if kind < 0.65:
        first = random.randint(low, high)
        last = random.randint(first, high)
        return f"{first}-{last}", set(range(first, last + 1))
    values = {random.randint(low, high) for _ in range(random.randint(1, 3))}
    return ",".join(map(str, sorted(values))), values


def expression():
    fields = [part(0, 59), part(0, 23), part(1, 31), part(1, 12), part(0, 6)]
    if random.random() < 0.6:  # clock changes are at these hours
        hour = random.choice([0, 1, 2, 3])
        fields[1] = str(hour), {hour}
    for i in (2, 3, 4):
        if random.random() < 0.6:
            fields[i] = "*", set(range(0, 32))
    return " ".join(text for text, _ in fields), [values for _, values in fields]


def day_matches(texts, sets, day):
    if day.month not in sets[3]:
        return False
    in_month, in_week = day.day in sets[2], day.isoweekday() % 7 in sets[4]
    if texts[2].startswith("*") or texts[4].startswith("*"):
        return in_month and in_week
    return in_month or in_week


def instants(wall, zone, passing):
    """When a clock in zone shows `wall`, a naive time, as the rules have it."""
    found = set()
    for fold in (0, 1):
        at = wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)
        if at.astimezone(zone).replace(tzinfo=None) == wall:
            found.add(at)
    if found:
        return found if passing else {min(found)}
    if passing:
        return set()
    # left out: the first moment that is shown as later than it
    low = wall.replace(tzinfo=UTC) - DAY - DAY
    high = low + 4 * DAY
    second = datetime.timedelta(seconds=1)
    while high - low > second:
        middle = (low + (high - low) / 2).replace(microsecond=0)
        if middle.astimezone(zone).replace(tzinfo=None) > wall:
            high = middle
        else:
            low = middle
    return {high}


def following(text, sets, zone, after, count):
    texts = text.split(" ")
    passing = sets[1] >= set(range(24))
    found = set()
    day = after.astimezone(zone).date() - 2 * DAY
    for _ in range(1500):
        if len(found) >= count + 4:
            break
        if day_matches(texts, sets, day):
            for hour in sorted(sets[1]):
                for minute in sorted(sets[0]):
                    wall = datetime.datetime(day.year, day.month, day.day, hour, minute)
                    found |= {at for at in instants(wall, zone, passing) if at > after}
        day += DAY
    return sorted(found)[:count]


def moment(zone):
    """Some time, mostly within two days of a clock change."""
    start = datetime.datetime(random.randint(2005, 2036), 1, 1, tzinfo=UTC)
    at = start + random.randint(0, 365 * 24 * 60) * MINUTE
    if random.random() < 0.85:
        for hours in range(0, 365 * 24, 12):
            here = at + datetime.timedelta(hours=hours)
            if (here.astimezone(zone).utcoffset()
                    != (here + DAY / 2).astimezone(zone).utcoffset()):
                return here + random.randint(-30 * 60, 24 * 60) * MINUTE
    return at


def main():
    random.seed(int(sys.argv[1]))
    for _ in range(int(sys.argv[2])):
        name = random.choice(ZONES)
        zone = zoneinfo.ZoneInfo(name)
        if name == "Pacific/Apia" and random.random() < 0.5:
            after = datetime.datetime(2011, 12, 28, tzinfo=UTC) \
                + random.randint(0, 4 * 24 * 60) * MINUTE
        else:
            after = moment(zone)
        text, sets = expression()
        times = following(text, sets, zone, after, 4)
        if len(times) == 4:
            print(text, name, int(after.timestamp()),
                  " ".join(str(int(at.timestamp())) for at in times), sep="\t")


main()
