"""Prints for pyre's tests the expressions of an installed fail2ban, as it would
run them, and the texts that its sample logs give them: a line of JSON for each
filter, {"filter": name, "patterns": [[expression, flags], ...], "texts": [...]}.
"""
import json
import os
import re
import sys
import warnings

warnings.simplefilter("ignore")
sys.path.insert(0, "/usr/lib/python3/dist-packages")

import fail2ban.tests
from fail2ban.client.filterreader import FilterReader
from fail2ban.server.datedetector import DateDetector
from fail2ban.server.failregex import Regex, RegexException
from fail2ban.helpers import logging

logging.disable(logging.CRITICAL)

CONFIG = "/etc/fail2ban"
LOGS = os.path.join(os.path.dirname(fail2ban.tests.__file__), "files", "logs")
MODES = [None, "normal", "ddos", "extra", "aggressive", "auth", "rbl", "more", "errors", "fallback"]
OTHERS = [{}, {"logtype": "journal"}, {"logtype": "short"}, {"logtype": "rfc5424"},
          {"publickey": "any"}, {"publickey": "invalid"}, {"publickey": "ignore"}]


def expressions(name):
    """Yields all expressions of a filter, with the kind of option they are of."""
    for mode in MODES:
        for other in OTHERS:
            opts = dict(other)
            if mode:
                opts["mode"] = mode
            reader = FilterReader(name, name, opts, basedir=CONFIG)
            reader.read()
            reader.getOptions({})
            stream = reader.convert()
            multi = any(o[2] == "maxlines" and int(o[3]) > 1 for o in stream if len(o) > 3)
            for o in stream:
                if o[0] == "multi-set":
                    values = o[3]
                else:
                    values = [o[3]] if len(o) > 3 else []
                if o[2] in ("prefregex", "addfailregex", "addignoreregex"):
                    for v in values:
                        yield o[2], v, multi


DATES = DateDetector()
DATES.addDefaultTemplate()


def texts(name):
    try:
        with open(os.path.join(LOGS, name), errors="replace") as f:
            lines = f.read().split("\n")
    except OSError:
        return
    for line in lines:
        line = line.rstrip("\r")
        if not line or line.startswith("#"):
            continue
        m, _ = DATES.matchTime(line)
        if m:
            line = line[:m.start(1)] + line[m.end(1):]
        yield line + "\n"


for name in sorted(os.listdir(os.path.join(CONFIG, "filter.d"))):
    name, ext = os.path.splitext(name)
    if ext != ".conf" or name.endswith("-common") or name == "common":
        continue
    patterns, prefs = {}, []
    for kind, value, multi in expressions(name):
        for dns in ("yes", "no"):
            try:
                p = Regex(value, multiline=multi, useDns=dns).getRegex()
            except RegexException:
                continue
            patterns[(p, 1 if multi else 0)] = True
            if kind == "prefregex":
                prefs.append(re.compile(p))
    all_texts = dict.fromkeys(texts(name))
    for t in list(all_texts):
        for pref in prefs:
            m = pref.search(t)
            if m and m.groupdict().get("content"):
                all_texts[m.group("content") + "\n"] = None
    print(json.dumps({"filter": name, "patterns": [list(p) for p in patterns], "texts": list(all_texts)}))
