#!/usr/bin/python3
"""Writes occurrences.gz: what every expression of expressions.txt names in
every zone of zones.txt, throughout two years.

Which dates and times of day an expression names is croniter's answer, asked
without a zone. When these are in a zone is zoneinfo's, by the rule that
cron(8) of Debian states, written down here once more. Needs Debian's
python3-croniter and tzdata.
"""

import datetime as dt
import gzip
import subprocess
import zoneinfo

from croniter import croniter

UTC = dt.timezone.utc
ZONEINFO = "/usr/share/zoneinfo/"


def nominals(expr, first, last):
    """The dates and times of day that an expression names, without a zone."""
    fields = expr.split()
    if len(fields) == 6:  # croniter has the seconds last
        fields = fields[1:] + fields[:1]
    # "Either day field" where both are given, and both where one begins with
    # "*": croniter knows that of "*" alone, cron of "*/2" as well.
    either = not (fields[2][0] == "*" or fields[4][0] == "*")
    each = croniter(" ".join(fields), first - dt.timedelta(seconds=1), day_or=either)
    while True:
        at = each.get_next(dt.datetime)
        if at > last:
            return
        yield at


def passes(local, zone):
    """The instants at which a zone's clocks show a time: none, one or two."""
    found = []
    for fold in (0, 1):
        at = local.replace(tzinfo=zone, fold=fold).astimezone(UTC)
        if at.astimezone(zone).replace(tzinfo=None) == local and at not in found:
            found.append(at)
    return found


def date_exists(day, zone):
    start = dt.datetime.combine(day, dt.time())
    return any(passes(start + dt.timedelta(minutes=m), zone) for m in range(0, 1440, 15))


def end_of_gap(local, zone):
    """The first instant after the gap in which a time lies."""
    early = local.replace(tzinfo=UTC) - dt.timedelta(hours=30)
    late = early + dt.timedelta(hours=60)
    shows = lambda at: at.astimezone(zone).replace(tzinfo=None)
    while late - early > dt.timedelta(seconds=1):
        middle = (early + (late - early) / 2).replace(microsecond=0)
        early, late = (early, middle) if shows(middle) > local else (middle, late)
    return late


def occurrences(expr, names, zone, change_days):
    fields = expr.split()[-5:]
    wildcard = fields[0][0] == "*" or fields[1][0] == "*"
    found = set()
    for local in names:
        if local.date() not in change_days:  # nothing can happen: be quick
            found.add(int(local.replace(tzinfo=UTC).timestamp() - change_days.offset(local)))
            continue
        at = passes(local, zone)
        if wildcard:
            found.update(int(a.timestamp()) for a in at)
        elif at:
            found.add(int(at[0].timestamp()))
        elif date_exists(local.date(), zone):
            found.add(int(end_of_gap(local, zone).timestamp()))
    return sorted(found)


class ChangeDays:
    """The dates near a change of a zone's offset, and the offsets elsewhere."""

    def __init__(self, zone, first, last):
        self.near, self.offsets = set(), {}
        day = first
        while day <= last:
            around = [dt.datetime.combine(day, dt.time(), zone) + dt.timedelta(days=d) for d in (-2, -1, 0, 1, 2)]
            offsets = {a.utcoffset() for a in around}
            self.offsets[day] = around[2].utcoffset().total_seconds()
            if len(offsets) > 1:
                self.near.add(day)
            day += dt.timedelta(days=1)

    def __contains__(self, day):
        return day in self.near

    def offset(self, local):
        return self.offsets[local.date()]


def uvarint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def lines(name):
    with open(name, encoding="ascii") as f:
        return [l.rstrip("\n") for l in f if l.strip() and not l.startswith("#")]


def main():
    exprs = lines("expressions.txt")
    total = 0
    known = {}
    with gzip.GzipFile("occurrences.gz", "wb", 9, mtime=0) as out:
        for line in lines("zones.txt"):
            name, year = line.split()
            zone = zoneinfo.ZoneInfo(name)
            first = dt.datetime(int(year), 1, 1)
            last = dt.datetime(int(year) + 1, 12, 31, 23, 59, 59)
            days = ChangeDays(zone, first.date(), last.date())
            with open(ZONEINFO + name, "rb") as f:
                rules = f.read()
            out.write(uvarint(len(rules)) + rules)
            for expr in exprs:
                if (expr, year) not in known:
                    known[expr, year] = list(nominals(expr, first, last))
                found = occurrences(expr, known[expr, year], zone, days)
                total += len(found)
                at = int(first.replace(tzinfo=UTC).timestamp()) - 48 * 3600
                coded = bytearray()
                for next_at in found:
                    coded += uvarint(next_at - at)
                    at = next_at
                out.write(uvarint(len(coded)) + coded)
            print(name, total, flush=True)
    version = lambda p: subprocess.run(["dpkg-query", "-W", "-f", "${Version}", p], capture_output=True, text=True, check=True).stdout
    print("croniter", version("python3-croniter"), "tzdata", version("tzdata"), len(exprs), "expressions", total, "occurrences")


if __name__ == "__main__":
    main()
