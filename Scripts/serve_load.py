#!/usr/bin/env python3
"""Loads a `holdfast serve` that it starts itself, on this machine, and ends it in the middle. Standard library only.

    python3 Scripts/serve_load.py [--holdfast ./holdfast] [--model World/base] [--clients 64] [--seconds 120] [--serve …]

So many clients ask one request after another: most read their stream to its end, some leave in the middle, some read slowly, some send
bodies that are too large or no JSON. At the end live tensors, rows and queue must be as at the start, well-behaved clients must have met no error, and
refusals must have been quick. Then new streams begin, SIGTERM comes, and what runs must end whole. Exit status 1 otherwise.
"""
import argparse
import asyncio
import collections
import json
import random
import re
import signal
import subprocess
import sys
import time


class Load:
    def __init__(self, port, key, name, seconds):
        self.port, self.key, self.name, self.end = port, key, name, time.monotonic() + seconds
        self.counts, self.errors, self.refusals, self.firsts = collections.Counter(), [], [], []

    def head(self, body, method="POST", path="/v1/completions", length=None):
        return (
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.key}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body) if length is None else length}\r\nConnection: close\r\n\r\n").encode() + body

    async def connect(self):
        return await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 16)

    async def get(self, path):
        reader, writer = await self.connect()
        writer.write(self.head(b"", "GET", path))
        text = (await reader.read()).decode()
        writer.close()
        return text

    async def metrics(self):
        return {m[1]: float(m[2]) for m in re.finditer(r"^holdfast_(\w+) (\S+)$", await self.get("/metrics"), re.M)}

    def body(self, tokens):
        prompt = f"look {random.choice('abc')}{random.randint(1, 9)} f7 m5, m="
        return json.dumps({
            "model": self.name, "prompt": prompt, "max_tokens": tokens, "temperature": 1.0, "stream": True, "seed": random.randint(0, 10**6),
            "logit_bias": {"1": -100}}).encode()  # World/base's end token, so that answers are long

    async def stream(self, kind):
        tokens = random.randint(20, 150)
        reader, writer = await self.connect()
        begun = time.monotonic()
        try:
            writer.write(self.head(self.body(tokens)))
            text, leaves = b"", random.randint(1, 3000)
            while part := await reader.read(512 if kind == "slow" else 1 << 16):
                if not text:
                    self.firsts.append(time.monotonic() - begun)
                text += part
                if kind == "leaves" and len(text) > leaves:
                    return
                if kind == "slow":
                    await asyncio.sleep(0.05)
            if kind != "leaves" and (b" 200 " not in text[:20] or b"data: [DONE]" not in text or b'"error"' in text):
                self.errors.append((kind, text[:300], text[-300:]))
        finally:
            writer.close()

    async def refused(self, kind):
        reader, writer = await self.connect()
        begun = time.monotonic()
        try:
            if kind == "large":
                writer.write(self.head(b"x" * 4096, length=1 << 30))
            else:
                writer.write(self.head(random.choice([b"{", b"\x00\xff", b'{"prompt": 5}', b'{"prompt": "a", "n": -1}', b"[" * 5000])))
            status = (await reader.readline())[9:12]
            self.refusals.append(time.monotonic() - begun)
            if status != (b"413" if kind == "large" else b"400"):
                self.errors.append((kind, status))
        finally:
            writer.close()

    async def client(self, i):
        while time.monotonic() < self.end:
            kind = random.choices(["reads", "leaves", "slow", "large", "broken"], [6, 2, 1, 1, 1])[0]
            self.counts[kind] += 1
            try:
                await (self.refused(kind) if kind in ("large", "broken") else self.stream(kind))
            except OSError as error:
                if kind in ("reads", "slow"):
                    self.errors.append((kind, repr(error)))


async def settled(load):
    """Metrics once nothing runs."""
    for _ in range(300):
        metrics = await load.metrics()
        if metrics["rows_running"] == metrics["queue_length"] == 0:
            break
        await asyncio.sleep(0.1)
    return metrics


def resident(pid):
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1]) // 1024


async def run(a, server, port, key, name):
    load = Load(port, key, name, a.seconds)
    await asyncio.gather(*(load.stream("reads") for _ in range(16)))  # every row once
    before, resident_before = await settled(load), resident(server.pid)
    load.counts.clear(), load.firsts.clear()
    load.end = time.monotonic() + a.seconds
    await asyncio.gather(*(load.client(i) for i in range(a.clients)))
    after = await settled(load)
    asked = sum(load.counts.values())
    print(f"{a.clients} clients, {a.seconds} s: {asked} requests {dict(load.counts)}")
    print(f"  tokens {after['engine_tokens_total'] - before['engine_tokens_total']:.0f}, clients that left {after['disconnects_total']:.0f}")
    print(f"  live tensors {before['live_tensors']:.0f} before, {after['live_tensors']:.0f} after; resident {resident_before} MB before, {resident(server.pid)} MB after")
    load.firsts.sort(), load.refusals.sort()
    print(f"  first bytes: median {load.firsts[len(load.firsts) // 2] * 1000:.0f} ms, longest {load.firsts[-1] * 1000:.0f} ms")
    print(f"  refusals: median {load.refusals[len(load.refusals) // 2] * 1000:.1f} ms, longest {load.refusals[-1] * 1000:.0f} ms")
    for error in load.errors[:5]:
        print("  error:", error)
    good = not load.errors and before["live_tensors"] == after["live_tensors"] and after["rows_running"] == after["queue_length"] == 0
    print("  " + ("no error for well-behaved clients, nothing left behind" if good else f"FAIL: {len(load.errors)} errors"))

    # The end in the middle: sixteen run, sixteen wait.
    ends = collections.Counter()
    begun, running = asyncio.Event(), set()

    async def last(i):
        reader, writer = await load.connect()
        writer.write(load.head(load.body(150)))
        text = b""
        while part := await reader.read(1 << 16):
            text += part
            if b"text_completion" in text:
                running.add(i)
            if len(running) == 16:
                begun.set()
        ends["whole" if b"data: [DONE]" in text else "refused" if b"shutting_down" in text else "broken"] += 1
        writer.close()

    clients = [asyncio.create_task(last(i)) for i in range(32)]
    await begun.wait()
    server.send_signal(signal.SIGTERM)
    await asyncio.gather(*clients)
    status = await asyncio.to_thread(server.wait, 60)
    try:
        await load.get("/health")
        ends["late client answered"] += 1
    except OSError:
        pass
    print(f"SIGTERM among 32 streams: {dict(ends)}, exit status {status}")
    return good and ends["whole"] >= 16 and set(ends) <= {"whole", "refused"} and status == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--holdfast", default="./holdfast")
    parser.add_argument("--model", default="World/base")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--serve", nargs=argparse.REMAINDER, default=[], help="further options of holdfast serve")
    a = parser.parse_args()
    random.seed(a.seed)
    server = subprocess.Popen([a.holdfast, "serve", "--quiet", "--port", "0", "--model", a.model, *a.serve], stderr=subprocess.PIPE, text=True)
    port = key = None
    while key is None:
        line = server.stderr.readline()
        if not line:
            sys.exit("the server did not start")
        if found := re.search(r"serving (\S+) on http://\S+:(\d+)/", line):
            name, port = found[1], int(found[2])
        if found := re.match(r"key: (\S+)", line):
            key = found[1]
    try:
        good = asyncio.run(run(a, server, port, key, name))
    finally:
        if server.poll() is None:
            server.kill()
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
