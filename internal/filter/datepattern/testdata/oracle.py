"""Asks the fail2ban that is installed what it makes of lines.

Each line of the input is a JSON object: datepattern (a list), zone (logtimezone or
""), tz (the TZ of the daemon), now (in seconds), lines. Each line of the output is
the list of the answers to one: null for no date, a string for a date that cannot be
understood, else [seconds or null, start, end] with offsets in bytes.
"""

import json
import os
import sys
import time

from fail2ban.server import datedetector
from fail2ban.server.mytime import MyTime


class Clock:
    """Stands in for the module time in datedetector."""

    now = 0.0

    @classmethod
    def time(cls):
        return cls.now


datedetector.time = Clock


def detector(patterns, zone):
    d = datedetector.DateDetector()
    d.default_tz = zone or None
    for p in patterns:
        d.appendTemplate(p)
    if not d.templates:
        d.addDefaultTemplate()
    # Templates are shared by all detectors, and so are these counts.
    for t in d.templates:
        t.template.hits = 0
    return d


def answer(d, line):
    try:
        match = d.matchTime(line)
        if match[0] is None:
            return None
        start, end = match[0].span(1)
        if start < 0 or start == end:
            return [None, 0, 0]
        found = match[1].getDate(line[start:end], match[0], default_tz=d.default_tz)
        return [found[0], len(line[:start].encode()), len(line[:end].encode())]
    except Exception as e:
        return f"{type(e).__name__}: {e}"


for text in sys.stdin:
    q = json.loads(text)
    os.environ["TZ"] = q["tz"]
    time.tzset()
    Clock.now = q["now"]
    MyTime.setTime(q["now"])
    try:
        d = detector(q["datepattern"] or [], q["zone"])
    except Exception as e:
        print(json.dumps([f"{type(e).__name__}: {e}"] * len(q["lines"])))
        continue
    print(json.dumps([answer(d, line) for line in q["lines"]]))
