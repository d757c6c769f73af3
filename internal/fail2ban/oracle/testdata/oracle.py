"""Answers questions about fail2ban with fail2ban's own code, one JSON object a line.

It holds nothing of fail2ban: it imports the installed package. No thread and no
service is started, no name is looked up, and nothing is written but answers.
"""
import json
import logging
import os
import re
import resource
import signal
import sys
import time
import traceback
from configparser import InterpolationError, InterpolationSyntaxError, NoOptionError

sys.path.insert(0, "/usr/lib/python3/dist-packages")

from fail2ban.client.filterreader import FilterReader
from fail2ban.client.jailreader import JailReader
from fail2ban.client.jailsreader import JailsReader
from fail2ban.helpers import _as_bool
from fail2ban.server import observer, utils
from fail2ban.server.action import CommandAction
from fail2ban.server.database import Fail2BanDb
from fail2ban.server.filter import FileContainer, Filter
from fail2ban.server.ipdns import DNSUtils, IPAddr
from fail2ban.server.mytime import MyTime
from fail2ban.server.server import Server
from fail2ban.tests import __file__ as tests

logging.getLogger("fail2ban").setLevel(logging.CRITICAL + 1)

TESTS = os.path.dirname(tests)
LOGS = os.path.join(TESTS, "files", "logs")
STOCK = "/etc/fail2ban"
NOW = 1124013600  # 2005-08-14 10:00:00 UTC, the present of the samples
NOW_TEXT = "2005-08-14T10:00:00"

DNSUtils.dnsToIp = staticmethod(lambda dns: set())
DNSUtils.ipToName = staticmethod(lambda ip: None)
DNSUtils.getSelfIPs = staticmethod(lambda: set())


def zone(name):
    os.environ["TZ"] = name
    time.tzset()


def now(t):
    MyTime.setAlternateNow(t)
    MyTime.setTime(t)


def plain(v):
    """Turns a value of a failure into what JSON can hold."""
    if isinstance(v, IPAddr):
        return str(v)
    if isinstance(v, (set, frozenset)):
        return sorted(plain(x) for x in v)
    if isinstance(v, (list, tuple)):
        return [plain(x) for x in v]
    return v


# Reading.

def collect(stream):
    """Folds the commands that the client would send for one jail."""
    got = {"failregex": [], "ignoreregex": [], "journalmatch": [], "set": {}}
    for cmd in stream:
        if cmd[0] == "config-error":
            return {"error": cmd[1]}
        if cmd[0] == "add":
            got["backend"] = cmd[2]
            continue
        if cmd[0] not in ("set", "multi-set"):
            continue
        name, rest = cmd[2], cmd[3:]
        if name in ("addfailregex", "addignoreregex"):
            got[name[3:]] += rest[0] if cmd[0] == "multi-set" else rest
        elif name == "addjournalmatch":
            got["journalmatch"].append(rest)
        elif name == "addignoreip":
            got["ignoreip"] = rest
        elif name not in ("addlogpath", "addaction", "action"):
            got["set"][name] = rest[0]
    return got


def actions(jail):
    """Resolves the parameters of a jail's actions, as their commands would see them."""
    out = []
    for a in jail._JailReader__actions:
        if isinstance(a, list):
            out.append({"name": os.path.basename(a[4]), "params": json.loads(a[5])})
            continue
        given = [k for k in a._initOpts if k not in a._configOpts and not k.startswith("known/")]
        every = a.getCombined(ignore=CommandAction._escapedTags | {"timeout", "bantime"})
        out.append({"name": a.getFile(), "params": {k: every[k] for k in given}})
    return out


def seconds(got):
    """Adds what the server makes of the times."""
    for k in ("findtime", "bantime", "bantime.maxtime", "bantime.rndtime"):
        if k in got["set"]:
            try:
                got.setdefault("seconds", {})[k] = int(MyTime.str2seconds(got["set"][k]))
            except Exception as e:
                raise ValueError("%s: %r" % (k, e))


def apply(name, stream, db=None):
    """Builds a jail as the server does, without its files and actions."""
    server = Server(daemon=False)
    if db is not None:
        server._Server__db = db
    transmitter = server._Server__transm
    for cmd in stream:
        if cmd[0] in ("add", "set", "multi-set") and cmd[2] not in ("addlogpath", "addjournalmatch", "addaction", "action"):
            if cmd[0] == "add":
                cmd = ["add", cmd[1], "polling"]
            try:
                transmitter._Transmitter__commandHandler(cmd)
            except Exception as e:
                raise ValueError("%s: %r" % (cmd[2] if cmd[0] != "add" else "add", e))
    return server._Server__jails[name]


class Endless(BaseException):
    """Ends what would grow without end: fail2ban itself has no bound."""


def endless(*args):
    raise Endless()


def read(q):
    """Reads a folder as the client does; answers with nothing where that would not end."""
    signal.signal(signal.SIGPROF, endless)
    signal.setitimer(signal.ITIMER_PROF, 1)
    try:
        return read_all(q)
    except (Endless, MemoryError):
        return {"endless": True}
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def read_all(q):
    """Reads each jail of a folder for itself, so that an error of one leaves the others."""
    out = {}
    share = {}
    try:
        reader = JailsReader(basedir=q["dir"], share_config=share)
        if not reader.read():
            return {"error": "no configuration"}
        sections = [s for s in reader.sections() if s != "INCLUDES"]
    except Exception as e:
        return {"error": repr(e)}
    for name in sections:
        jail = None
        try:
            jail = JailReader(name, share_config=share, use_config=reader._cfg)
            ok = jail.getOptions()
            if ok and not jail.isEnabled():
                continue
            stream = jail.convert(allow_no_files=True)
            got = collect(stream)
            if "error" not in got:
                got["logpath"] = jail.options.get("logpath")
                got["actions"] = actions(jail)
                seconds(got)
                apply(name, stream)
            out[name] = got
        except Exception as e:
            if not enabled(reader._cfg, name):
                continue  # only what is wrong with its filter or backend made it read
            out[name] = {"error": repr(e), "aside": aside(e, reader._cfg, name, jail)}
    return {"jails": out}


def enabled(cfg, jail):
    try:
        return _as_bool(cfg.get(jail, "enabled"))
    except NoOptionError:
        return False
    except Exception:
        return True


def aside(e, cfg, jail, reader):
    """Says whether an error is of an option that nothing uses here, of actions, or of what [Init] would mend."""
    m = re.search(r"self referencing definitions.*?fail tag: ([^ ,]+),", str(e))
    if m:
        return m.group(1) not in FilterReader._configOpts or cfg.has_option(jail, m.group(1))
    if isinstance(e, InterpolationError) and e.section == jail:
        if isinstance(e, InterpolationSyntaxError) and any("known/" in str(v) for d in (cfg._defaults, cfg._sections[jail]) for v in d.values()):
            return True  # what the filter has said already is read once more
        return e.option in ("action", "maxmatches", "ignorecommand", "ignorecache")
    if not isinstance(e, InterpolationError) or e.section not in ("Definition", "KNOWN/Definition"):
        return False
    if e.option not in FilterReader._configOpts:
        return True
    return cfg.has_option(jail, e.option) or reader._JailReader__filter.has_section("Init")


# One filter.

def rules(base, name, options):
    reader = FilterReader(name, "jail", dict(options), basedir=base)
    if not reader.read():
        raise ValueError("no filter %s" % name)
    reader.getOptions({})
    return reader.convert()


def build(stream, **settings):
    """Makes a Filter, as the harness of the samples does."""
    f = Filter(None)
    f.active = True
    for k, v in settings.items():
        if k != "usedns":
            setattr(f, k, v)
    if "usedns" in settings:
        f.setUseDns(settings["usedns"])
    got = collect(stream)
    if got["set"].get("prefregex"):
        f.prefRegex = got["set"]["prefregex"]
    if "maxlines" in got["set"]:
        f.setMaxLines(got["set"]["maxlines"])
    if "datepattern" in got["set"]:
        f.setDatePattern(got["set"]["datepattern"])
    for r in got["failregex"]:
        f.addFailRegex(r)
    for r in got["ignoreregex"]:
        f.addIgnoreRegex(r)
    return f


def examples(scratch):
    """Links the filters that come with the tests into scratch, so deep that what they include is found."""
    base = os.path.join(scratch, "1/2/3/4/5/6")
    if not os.path.exists(base):
        os.makedirs(os.path.join(base, "filter.d"))
        os.symlink(STOCK, os.path.join(scratch, "config"))
        here = os.path.join(TESTS, "config", "filter.d")
        for n in os.listdir(here):
            os.symlink(os.path.join(here, n), os.path.join(base, "filter.d", n))
    return base


def filters(scratch):
    """Names each filter and the folder that it is in."""
    for base, want in ((STOCK, lambda n: not n.endswith("common.conf")), (examples(scratch), lambda n: n.startswith("zzz-"))):
        for n in sorted(os.listdir(os.path.join(base, "filter.d"))):
            if n.endswith(".conf") and want(n):
                yield base, n[:-len(".conf")]


def modes(base, name):
    """Finds the modes of a filter: the options that a tag with <mode> in it can name."""
    reader = FilterReader(name, "jail", {}, basedir=base)
    reader.read()
    if not reader.has_section("Definition"):
        return []
    options = set(reader.options("Definition", withDefault=True))
    found = set()
    for o in options:
        for prefix in re.findall(r"<([\w-]+)<mode>>", str(reader._cfg.get("Definition", o, raw=True) or "")):
            found.update(x[len(prefix):] for x in options if x.startswith(prefix))
    return sorted(found)


def shipped(q):
    """Resolves every filter in every mode, for files and for the journal."""
    out = []
    for base, name in filters(q["scratch"]):
        for mode in [None] + modes(base, name):
            for logtype in ("file", "journal", "short", "rfc5424"):
                options = {"logtype": logtype}
                if mode is not None:
                    options["mode"] = mode
                got = collect(rules(base, name, options))
                try:
                    build(rules(base, name, options))
                    bad = ""
                except Exception as e:
                    bad = repr(e)
                out.append({"base": base, "filter": name, "options": options, "rules": got, "bad": bad})
    return out


# The samples.

def directive(line):
    """Returns the name and the value of a directive, or nothing."""
    if line.startswith("#"):
        text = line.lstrip("#")
        word, colon, value = (text[1:] if text.startswith(" ") else text).partition(":")
        if colon and value.strip() and word in ("failJSON", "filterOptions", "fileOptions", "addFILE"):
            return word, json.loads(value)
    return None, None


class Samples:
    """Reads the sample log of a filter, and every log that it adds."""

    def __init__(self, base, name):
        self.base, self.name = base, name
        self.sets, self.current, self.lines = {}, [], []
        files = [name]
        for f in files:
            self.file(f, files)

    def option_set(self, options):
        own = {k: v for k, v in options.items() if not k.startswith("test.")}
        key = self.name + (options.get("test.filter-name") or (str(own) if own else ""))
        if key not in self.sets:
            self.sets[key] = {"key": key, "base": self.base, "filter": self.name, "options": own}
        return key, options

    def file(self, filename, files):
        log = FileContainer(os.path.join(LOGS, filename), "UTF-8", doOpen=True)
        log.waitForLineEnd = False
        common, ignoring, number = {}, False, 0
        it = iter(log)
        for line in it:
            number += 1
            word, data = directive(line)
            want = {}
            if word:
                if word == "fileOptions":
                    common = data
                elif word == "addFILE":
                    files.append(data)
                elif word == "filterOptions":
                    self.current, ignoring = [], False
                    for o in data if isinstance(data, list) else [data]:
                        o = {**common, **o}
                        if o.get("test.condition"):
                            ignoring = not condition(o["test.condition"], self.name, o)
                        if not ignoring:
                            self.current.append(self.option_set(o))
                if word != "failJSON":
                    continue
                line, want = next(it), data
                number += 1
            elif ignoring or line.startswith("#") or not line.strip():
                continue
            if ignoring:
                continue
            if not self.current:
                self.current = [self.option_set({})]
            self.line(filename, number, line.rstrip("\r\n"), want)

    def line(self, filename, number, line, want):
        for key, options in self.current:
            if want.get("constraint") and not condition(want["constraint"], self.name, options):
                continue
            journal = options.get("logtype") == "journal"
            if journal:
                line = options.get("test.prefix-line", "") + line  # it adds up, as in the harness
            self.lines.append({"set": key, "file": filename, "number": number, "text": line, "journal": journal, "want": want})


def condition(expr, name, opts):
    return eval(expr, {"__builtins__": {}}, {"name": name, "opts": opts})


def corpus(q):
    """Answers with every run of every sample, and what fail2ban says of it."""
    zone(q["zone"])
    now(NOW)
    out = []
    for base, name in filters(q["scratch"]):
        if not os.path.exists(os.path.join(LOGS, name)):
            continue
        s = Samples(base, name)
        tried = {k: build(rules(base, name, v["options"]), returnRawHost=True, checkAllRegex=True, checkFindTime=False) for k, v in s.sets.items()}
        for k, v in s.sets.items():
            v["rules"] = collect(rules(base, name, v["options"]))
        for line in s.lines:
            f = tried[line["set"]]
            if line["journal"]:
                got = f.processLine(("", NOW_TEXT, line["text"]), NOW)
            else:
                got = f.processLine(line["text"])
            line["got"] = [{"index": i, "id": fid and str(fid), "time": t, "data": {k: plain(v) for k, v in d.items()}} for i, fid, t, d in got]
        out.append({"sets": list(s.sets.values()), "lines": s.lines})
    return out


class Recorder:
    """Takes the place of the counting."""

    def __init__(self):
        self.found = []

    def addFailure(self, ticket, *args):
        self.found.append({"id": str(ticket.getID()), "time": ticket.getTime(), "valid": ticket.getID().isValid})
        return 0

    def getMaxRetry(self):
        return 1 << 30

    def cleanup(self, t):
        pass


def scan(q):
    """Runs lines through a filter as in operation: first match wins, sessions hold."""
    zone(q["zone"])
    now(q["now"])
    f = build(rules(q["base"], q["filter"], q["options"]), usedns=q["usedns"], inOperation=q["live"])
    f.setFindTime(1 << 40)
    f.failManager = Recorder()
    broken = []
    f.commonError = lambda *a: broken.append(1)
    out = []
    for line in q["lines"]:
        if q["journal"]:
            f.processLineAndAdd(("", NOW_TEXT, line), q["now"])
        else:
            f.processLineAndAdd(line)
        out.append({"found": f.failManager.found, "broken": bool(broken)})
        f.failManager.found = []
        broken.clear()
    return out


# Whole runs.

def prompt(jail):
    """Makes a jail forget failures and end bans by the time of each failure.

    Its threads do both by their clocks every few seconds, so that what they make of
    a line depends on when they wake up.
    """
    manager, actions = jail.filter.failManager, jail.actions
    add, put = manager.addFailure, jail.putFailTicket

    def forget_and_add(ticket, *args):
        known = manager._FailManager__failList.get(ticket.getID())
        if known is not None and known is not ticket and known.getTime() <= ticket.getTime() - manager.getMaxTime():
            manager.delFailure(ticket.getID())
        return add(ticket, *args)

    def unban_and_put(ticket):
        actions.banManager.unBanList(ticket.getTime() + 0.001)
        put(ticket)

    manager.addFailure, jail.putFailTicket = forget_and_add, unban_and_put
    jail.filter.performSvc = lambda: None


class Clock:
    """Takes the place of the module time, so that sessions end by the time of the logs."""

    time = staticmethod(MyTime.time)

    def __getattr__(self, name):
        return getattr(time, name)


class Now(observer.ObserverThread):
    """An observer that does at once what it is told."""

    def add(self, *event):
        getattr(self, event[0])(*event[1:])

    def add_timer(self, *args):
        pass


def simulate(q):
    """Runs lines through the jails of a folder; each line comes with the time that it is read at."""
    zone(q["zone"])
    now(q["lines"][0][0])
    utils.time = Clock()
    reader = JailsReader(basedir=q["dir"], share_config={})
    reader.read()
    if not reader.getOptions():
        return {"error": "not read"}
    db = Fail2BanDb(":memory:")
    observer.Observers.Main = Now()
    jails = []
    for j in reader.jails:
        jail = apply(j.getName(), j.convert(allow_no_files=True), db)
        jail.isAlive = lambda: True
        jail.filter.inOperation = True
        jail.filter.commonError = lambda *a: None
        prompt(jail)
        db.addJail(jail)
        jails.append((jail, os.path.basename(j.options["logpath"])))
    bans = []
    ends = {}
    for n, (at, log, line) in enumerate(q["lines"]):
        now(at)
        for jail, reads in jails:
            if reads != log:
                continue
            jail.filter.processLineAndAdd(line)
            jail.actions._Actions__checkBan()
            manager = jail.actions.banManager
            for t in manager:
                key = (jail.name, str(t.getID()))
                end = t.getEndOfBanTime(manager.getBanTime())
                same, known = ends.get(key, (None, None))
                if same is not t or end != known:
                    bans.append({"line": n, "jail": jail.name, "ip": str(t.getID()), "time": t.getTime(), "bantime": t.getBanTime(manager.getBanTime()),
                                 "longer": same is t})
                    ends[key] = (t, end)
    observer.Observers.Main = None
    return {"bans": bans}


def main():
    commands = {"read": read, "shipped": shipped, "corpus": corpus, "scan": scan, "simulate": simulate}
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for text in sys.stdin:
        q = json.loads(text)
        try:
            a = {"ok": commands[q["do"]](q)}
        except Exception:
            a = {"failed": traceback.format_exc()}
        text = json.dumps(a).replace("KNOWN/", "")  # a section by its name, where %(__name__)s is used
        answers.write(text + "\n")
        answers.flush()


main()
