#!/usr/bin/env python3
"""Writes rules and what python's dateutil makes of them, a line each: start, from, to, rule, days.

    oracle.py > oracle.txt      (python3-dateutil; the test reads the file and needs no python)
"""
import datetime, random
from dateutil.rrule import rrulestr

random.seed(20261124)
DAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]


def rule():
    freq = random.choice(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"])
    parts = [f"FREQ={freq}"]
    if random.random() < 0.5:
        parts.append(f"INTERVAL={random.randint(2, 7)}")
    if random.random() < 0.3:
        parts.append(f"WKST={random.choice(DAYS)}")
    chooses = False
    if random.random() < 0.6:
        days = random.sample(DAYS, random.randint(1, 4))
        if freq in ("MONTHLY", "YEARLY") and random.random() < 0.6:
            days = [f"{random.choice([1, 2, 3, 4, 5, -1, -2])}{day}" for day in days]
        parts.append("BYDAY=" + ",".join(days))
        chooses = True
    if freq != "WEEKLY" and random.random() < 0.3 and not any(p.startswith("BYDAY") and any(c.isdigit() for c in p) for p in parts):
        parts.append("BYMONTHDAY=" + ",".join(str(random.choice([1, 2, 13, 28, 29, 30, 31, -1, -5])) for _ in range(random.randint(1, 3))))
        chooses = True
    if random.random() < 0.3:
        parts.append("BYMONTH=" + ",".join(str(n) for n in sorted(random.sample(range(1, 13), random.randint(1, 4)))))
    # In a weekly rule's first week dateutil counts from the start, and not from the week's first day.
    if chooses and freq != "WEEKLY" and random.random() < 0.3:
        parts.append("BYSETPOS=" + ",".join(str(random.choice([1, 2, 3, -1, -2])) for _ in range(random.randint(1, 2))))
    end = random.random()
    if end < 0.25:
        parts.append(f"COUNT={random.randint(1, 60)}")
    elif end < 0.4:
        parts.append(f"UNTIL={random.randint(2021, 2040)}{random.randint(1, 12):02}{random.randint(1, 28):02}")
    return ";".join(parts)


for _ in range(600):
    start = datetime.date(2020, 1, 1) + datetime.timedelta(days=random.randint(0, 2000))
    begin = start + datetime.timedelta(days=random.choice([0, 0, 10, 400, 3000]))
    end = begin + datetime.timedelta(days=random.choice([60, 800, 3000]))
    text = rule()
    at = lambda day: datetime.datetime.combine(day, datetime.time())
    days = rrulestr(text, dtstart=at(start)).between(at(begin), at(end), inc=True)
    print(start, begin, end, text, ",".join(day.date().isoformat() for day in days[:60]) or "-")
