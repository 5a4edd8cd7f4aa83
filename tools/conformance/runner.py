# SPDX-License-Identifier: GPL-3.0-or-later
#
# Runs cases of pacman's own test suite, whose modules are imported and not
# changed: runner.py SUITE PROGRAM BUSYBOX ROOT. It reads paths of cases from
# standard input and writes a line of JSON for each.
#
# What differs from pactest.py:
# - /bin/sh in the root is a static busybox: the host's own would need its
#   loader there.
# - Where a case sets no SigLevel, it is Optional, which was the default when
#   the suite was written.

import io
import json
import os
import shutil
import signal
import sys
import traceback

suite, program, busybox, root = sys.argv[1:5]
sys.path.insert(0, suite)

import pmtest  # noqa: E402
import tap  # noqa: E402
import util  # noqa: E402

results = sys.stdout
sys.stdout = io.StringIO()  # the suite prints what it does

plain_copy = shutil.copy


def copy(src, dst, **kw):
    if src == "/bin/sh":
        if os.path.isdir(dst):
            dst = os.path.join(dst, "sh")
        return plain_copy(busybox, dst, **kw)
    return plain_copy(src, dst, **kw)


shutil.copy = copy

plain_config = util.mkcfgfile


def config(filename, where, option, db):
    if "SigLevel" not in option:
        option = dict(option, SigLevel=["Optional"])
    return plain_config(filename, where, option, db)


util.mkcfgfile = config

SECONDS = 90  # more than the slowest case takes


def late(*_):
    raise TimeoutError("no end after %d seconds" % SECONDS)


signal.signal(signal.SIGALRM, late)


def run(path):
    name = os.path.basename(path)[: -len(".py")]
    out = {"name": name, "passed": 0, "failed": [], "skipped": "", "error": "", "log": ""}
    case = pmtest.pmtest(path, root, {"gpg": True, "nls": False, "curl": True})
    try:
        signal.alarm(SECONDS)
        case.load()
        out["description"] = case.description
        out["expected"] = case.expectfailure
        if case.skipall:
            out["skipped"] = case.skipall
            return out
        case.generate(pacman)
        case.run(pacman)
        for rule in case.rules:
            if rule.check(case) == 1:
                out["passed"] += 1
            else:
                out["failed"].append(str(rule))
        if not case.rules:
            out["error"] = "it has no rules"
    except BaseException:
        out["error"] = traceback.format_exc(limit=3)
        try:
            case.stop_http_servers()
        except Exception:
            pass
    finally:
        signal.alarm(0)
    out["command"] = "pacman " + case.args
    out["exit"] = case.retcode
    try:
        with open(os.path.join(root, util.LOGFILE), errors="replace") as f:
            out["log"] = f.read()[-20000:]
    except OSError:
        pass
    return out


pacman = {"bin": program, "bindir": [], "debug": 0, "gdb": 0, "valgrind": 0, "nolog": 0,
          "manual-confirm": False, "scriptlet-shell": "/bin/sh", "ldconfig": "/sbin/ldconfig"}
for line in sys.stdin:
    tap.failed = 0
    results.write(json.dumps(run(line.strip())) + "\n")
    results.flush()
    sys.stdout.seek(0)
    sys.stdout.truncate()
