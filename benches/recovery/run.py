#!/usr/bin/env python3
"""friday-data beside pgBackRest and pg_dump, on one PostgreSQL server of its own, in one run.

usage: run.py FRIDAY_DATA DIRECTORY [SCALE [XTASK]]      as root; DIRECTORY is new and on the disk to be measured

SCALE is pgbench's: 60 is about 0.9 GB. XTASK is the program that forecasts; without it nothing is forecast. What is measured is one line of JSON each. The server does wait for the
disk (fsync is on), archives by pgBackRest, and ends with this program."""
import itertools, json, os, re, shutil, signal, subprocess, sys, time

PROGRAM, ROOT = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
SCALE = int(sys.argv[3]) if len(sys.argv) > 3 else 60
XTASK = os.path.abspath(sys.argv[4]) if len(sys.argv) > 4 else None
BIN = sorted(os.listdir("/usr/lib/postgresql"), key=int)[-1]
BIN = f"/usr/lib/postgresql/{BIN}/bin/"
USER = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"]
LIVE, SOCKETS = f"{ROOT}/live", f"{ROOT}/s"
CONF = f"{ROOT}/pgbackrest.conf"
NUMBERS = itertools.count(1)
URL = f"host={SOCKETS} user=postgres dbname=postgres"


def run(words, quiet=True):
    out = subprocess.DEVNULL if quiet else None
    subprocess.run(USER + words, check=True, stdout=out, stderr=out, cwd="/")


def tell(what, **facts):
    print(json.dumps({"what": what, **facts}), flush=True)


def calm():
    """What was written before is on the disk: each measurement begins with the same."""
    os.sync()
    time.sleep(1)


def timed(what, words, bytes_=None):
    calm()
    before, begin = os.times(), time.monotonic()
    run(words)
    took, after = time.monotonic() - begin, os.times()
    own = after.children_user + after.children_system - before.children_user - before.children_system
    facts = {"s": round(took, 2), "own_cpu_s": round(own, 2)}
    if bytes_:
        facts["mb_s"] = round(bytes_ / took / 1e6)
    tell(what, **facts)
    return took


def sql(text):
    words = [BIN + "psql", "-h", SOCKETS, "-U", "postgres", "-Atqc", text, "postgres"]
    return subprocess.run(USER + words, check=True, capture_output=True, text=True, cwd="/").stdout.strip()


class Friday:
    def __init__(self):
        words = USER + [f"{ROOT}/friday-data", "connect", "--fleet", "bench", "--base", f"{ROOT}/base"]
        self.child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/")
        self.child.stdout.read(16)
        self.number = 0
        self.ask({"request": "hello", "wire": 1, "wire_min": 1, "friday": "bench", "fleet": "bench"})

    def ask(self, request):
        self.number += 1
        body = json.dumps({"number": self.number, "request": request}).encode()
        self.child.stdin.write(b"J" + len(body).to_bytes(4, "big") + body)
        self.child.stdin.flush()
        while True:
            length = int.from_bytes(self.child.stdout.read(5)[1:], "big")
            answer = json.loads(self.child.stdout.read(length))["answer"]
            if answer["answer"] == "failed":
                sys.exit(f"friday-data failed: {answer}")
            if answer["answer"] != "progress":
                return answer


GUARDED = {
    "name": "main",
    "engine": {"engine": "postgres", "url": URL, "backup": {"backup": "stream"}, "programs": BIN},
    "repository": {"place": {"place": "directory", "path": None}, "key": None},
    "keep": 2, "scratch": None,
}


def drill(friday, what, keep):
    calm()
    report = friday.ask({"request": "drill", "database": GUARDED, "target": {"target": "newest"}, "invariants": [],
                         "keep_scratch": keep, "timeout_ms": 600000})["report"]
    phases = {}
    for one in report["phases"]:
        phases[one["phase"]] = phases.get(one["phase"], 0) + one["ms"]
    tell(what, rto_ms=report["rto_ms"], rpo_ms=report["rpo_ms"], phases_ms=phases, bytes=report["scratch"]["bytes"],
         warm_bytes=report["scratch"]["warm_bytes"])
    return report


def point(friday, name):
    return friday.ask({"request": "point", "database": GUARDED, "name": name, "timeout_ms": 60000})["point"]


def forecast(what, friday, outcomes, points):
    """What friday forecasts of a recovery into nothing, beside a drill that does it."""
    told = json.dumps({"outcomes": outcomes, "points": points})
    words = [XTASK, "bench", "forecast"]
    expected = int(subprocess.run(words, input=told, check=True, capture_output=True, text=True).stdout)
    friday.ask({"request": "clean", "database": GUARDED})
    report = drill(friday, "drill: friday, " + what, True)
    outcomes.append({"outcome": "drilled", "report": report})
    tell("forecast: " + what, forecast_ms=expected, measured_ms=report["rto_ms"],
         error_percent=round((expected / report["rto_ms"] - 1) * 100, 1))


class Load:
    """pgbench at a fixed rate, so that a pause is seen in its latencies."""

    def __init__(self, what, seconds):
        self.what = what
        self.prefix = f"{ROOT}/log-{next(NUMBERS)}/pgbench"
        os.mkdir(os.path.dirname(self.prefix))
        shutil.chown(os.path.dirname(self.prefix), "postgres", "postgres")
        words = [BIN + "pgbench", "-h", SOCKETS, "-U", "postgres", "-n", "-c", "8", "-j", "1", "-R", "60",
                 "-T", str(seconds), "-l", f"--log-prefix={self.prefix}", "postgres"]
        self.child = subprocess.Popen(USER + words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")

    def done(self):
        self.child.wait()
        found = []
        directory = os.path.dirname(self.prefix)
        for file in os.listdir(directory):
            with open(f"{directory}/{file}") as lines:
                found += [int(line.split()[2]) / 1000 for line in lines]
        found.sort()
        at = lambda share: round(found[min(len(found) - 1, int(len(found) * share))], 2)
        tell(self.what, transactions=len(found), p50_ms=at(0.5), p99_ms=at(0.99), worst_ms=round(found[-1], 1))
        return at(0.99)


def main():
    os.makedirs(ROOT)
    os.chmod(ROOT, 0o755)
    for name in ["s", "base", "repo", "log", "spool", "dump", "lock"]:
        os.mkdir(f"{ROOT}/{name}")
        shutil.chown(f"{ROOT}/{name}", "postgres", "postgres")
    shutil.chown(ROOT, "postgres", "postgres")
    shutil.copy(PROGRAM, f"{ROOT}/friday-data")
    os.chmod(f"{ROOT}/friday-data", 0o755)
    with open(CONF, "w") as file:
        file.write(f"[global]\nrepo1-path={ROOT}/repo\nlog-path={ROOT}/log\nlock-path={ROOT}/lock\nlog-level-file=off\n"
                   f"compress-type=zst\nprocess-max=2\nstart-fast=y\n[main]\npg1-path={LIVE}\npg1-socket-path={SOCKETS}\n")
    run([BIN + "initdb", "--data-checksums", "--username=postgres", "--auth=trust", "-D", LIVE])
    with open(f"{LIVE}/postgresql.conf", "a") as file:
        file.write(f"listen_addresses=''\nunix_socket_directories='{SOCKETS}'\nshared_buffers=256MB\nmax_wal_size=2GB\n"
                   f"archive_mode=on\narchive_command='pgbackrest --config={CONF} --stanza=main archive-push %p'\n")
    server = subprocess.Popen(USER + [BIN + "postgres", "-D", LIVE], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, cwd="/")
    backrest = ["pgbackrest", f"--config={CONF}", "--stanza=main"]
    try:
        until = time.monotonic() + 60
        while subprocess.run(USER + [BIN + "pg_isready", "-q", "-h", SOCKETS], cwd="/").returncode:
            if time.monotonic() > until:
                sys.exit("the server does not start")
            time.sleep(0.1)
        run(backrest + ["stanza-create"])
        run([BIN + "pgbench", "-h", SOCKETS, "-U", "postgres", "-i", "-q", "-s", str(SCALE), "postgres"])
        # Half of what people store does not compress as pgbench's filler does.
        sql(f"CREATE TABLE noise AS SELECT n, md5(random()::text) || md5(random()::text) AS text "
            f"FROM generate_series(1, {SCALE * 35000}) n")
        sql("CHECKPOINT")
        size = int(sql("SELECT sum(pg_database_size(oid)) FROM pg_database"))
        tell("database", bytes=size)
        timed("disk: write", ["dd", "if=/dev/zero", f"of={ROOT}/dump/disk", "bs=1M", f"count={size >> 20}", "conv=fsync"], size)
        os.remove(f"{ROOT}/dump/disk")
        friday = Friday()
        for turn in ["1", "2"]:
            calm()
            begin = time.monotonic()
            backup = friday.ask({"request": "backup", "database": GUARDED})["backup"]
            took = time.monotonic() - begin
            tell("backup: friday " + turn, s=round(took, 2), mb_s=round(size / took / 1e6), stored=backup["stored"])
            timed("backup: pgBackRest " + turn, backrest + ["--type=full", "backup"], size)
        timed("backup: pg_dump -Fd -j2 --compress=0", [BIN + "pg_dump", "-h", SOCKETS, "-U", "postgres", "-Fd", "-j2",
              "-Z0", "-f", f"{ROOT}/dump/d", "postgres"], size)
        durable = []
        for number in range(12):
            sql("UPDATE pgbench_branches SET bbalance = bbalance + 1")
            durable.append(point(friday, f"P-{number}")["durable_ms"])
        durable.sort()
        tell("restore point durable", ms=durable, median_ms=durable[6], worst_ms=durable[-1])
        drills = {"full": [], "warm": []}
        for _ in range(3):
            friday.ask({"request": "clean", "database": GUARDED})
            for what in drills:
                drills[what].append(drill(friday, "drill: friday, " + what, True))
        middle = {what: sorted(report["rto_ms"] for report in reports)[1] for what, reports in drills.items()}
        tell("warm beside full, medians of three", **middle, times=round(middle["full"] / middle["warm"], 2))
        outcomes = [{"outcome": "backed_up", "backup": backup, "pruned": []}]
        outcomes += [{"outcome": "drilled", "report": report} for report in drills["warm"] + drills["full"]]
        if XTASK:
            forecast("full, nothing written since", friday, outcomes, [])
            for turn in ["20,000", "40,000", "60,000"]:
                run([BIN + "pgbench", "-h", SOCKETS, "-U", "postgres", "-n", "-c", "8", "-t", "2500", "postgres"])
                forecast(f"full, {turn} transactions later", friday, outcomes, [point(friday, "F-" + turn)])
            sql(f"INSERT INTO noise SELECT n, md5(random()::text) FROM generate_series(1, {SCALE * 8000}) n")
            backup = friday.ask({"request": "backup", "database": GUARDED})["backup"]
            outcomes.append({"outcome": "backed_up", "backup": backup, "pruned": []})
            forecast("full, a larger backup", friday, outcomes, [point(friday, "F-larger")])
        for turn, more in [("full", []), ("delta, nothing changed", ["--delta"])]:
            timed("restore: pgBackRest, " + turn, backrest + [f"--pg1-path={ROOT}/copy", "--archive-mode=off", "--type=immediate"]
                  + more + ["restore"], size)
        run([BIN + "createdb", "-h", SOCKETS, "-U", "postgres", "copy"])
        timed("restore: pg_restore -j2", [BIN + "pg_restore", "-h", SOCKETS, "-U", "postgres", "-j2", "-d", "copy",
              f"{ROOT}/dump/d"], size)
        run([BIN + "dropdb", "-h", SOCKETS, "-U", "postgres", "copy"])
        shutil.rmtree(f"{ROOT}/copy")
        sql("CHECKPOINT")
        found = {"undisturbed": [], "points": [], "drill": []}
        for _ in range(3):
            calm()
            found["undisturbed"].append(Load("load: undisturbed", 20).done())
            load = Load("load: a restore point each 1.5 s", 20)
            time.sleep(2)
            for _ in range(8):
                point(friday, f"L-{next(NUMBERS)}")
                time.sleep(1.5)
            found["points"].append(load.done())
            load = Load("load: a warm drill meanwhile", 20)
            time.sleep(1)
            drill(friday, "drill: friday, warm, under load", True)
            found["drill"].append(load.done())
        middle = {what: sorted(ones)[1] for what, ones in found.items()}
        tell("p99, medians of three", **middle, **{f"{what}_beside": round(middle[what] / middle["undisturbed"], 2)
                                                  for what in ["points", "drill"]})
        friday.ask({"request": "clean", "database": GUARDED})
        friday.child.stdin.close()
        friday.child.wait()
    finally:
        with open(f"{ROOT}/base/bench/main/keep.stop", "w"):
            pass
        time.sleep(2)
        server.send_signal(signal.SIGINT)
        server.wait()
        shutil.rmtree(ROOT, ignore_errors=True)


main()
