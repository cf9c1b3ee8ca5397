"""The jobs of replicas in tests: real ones, or ones that only sleep and record when they began and ended."""

import json
import os
import time

from pipelines.runtime.pool.replica import shoot_job


def shoot(job):
    if job.startswith(b"PK"):
        yield from shoot_job(job)
        return
    asked = json.loads(job)
    _note(asked, "began")
    for step in range(1, asked["steps"] + 1):
        yield "progress", {"phase": "Sleeping", "step": step, "steps": asked["steps"], "note": str(os.getpid())}
        time.sleep(asked["seconds"])
        _note(asked, f"step {step}")
    _note(asked, "ended")
    yield "clip", job


def _note(asked, words):
    with open(asked["log"], "a") as log:
        log.write(f"{asked['name']} {words}\n")
