"""Answers for pyre's tests what Python's re says.

Reads lines of JSON {"p": pattern, "f": flags, "t": text}. A line without "p" is
about the pattern before; one without "t" asks only whether the pattern compiles. Writes for each a line of JSON: the error, or
null for no match, or the spans of all groups in bytes of UTF-8.
"""
import json
import re
import signal
import sys
import warnings

warnings.simplefilter("ignore")


class Slow(Exception):
    pass


def alarm(*_):
    raise Slow


last = {"p": ""}
signal.signal(signal.SIGPROF, alarm)


def answer(q):
    q.setdefault("p", last["p"])
    last["p"] = q["p"]
    try:
        expr = re.compile(q["p"], (re.M if q["f"] & 1 else 0) | (re.I if q["f"] & 2 else 0))
    except (re.error, OverflowError, ValueError, RecursionError) as e:
        return {"e": str(e), "at": len(q["p"][:getattr(e, "pos", None) or 0].encode())}
    if "t" not in q:
        return {"e": ""}
    try:
        signal.setitimer(signal.ITIMER_PROF, 0.5)  # of its own time: others may be busy
        try:
            m = expr.search(q["t"])
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
    except Slow:
        return {"slow": True}
    except SystemError as e:
        return {"e": "", "bug": str(e)}
    if not m:
        return {"g": None}
    if q["t"].isascii():
        return {"g": [list(m.span(i)) for i in range(expr.groups + 1)]}
    at = [0]
    for c in q["t"]:
        at.append(at[-1] + len(c.encode()))
    return {"g": [[at[i] if i >= 0 else -1 for i in m.span(n)] for n in range(expr.groups + 1)]}


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line)), separators=(",", ":")))
