"""`python -m bench cancel`: shots that are cancelled, or run out of memory, at every step of all five methods.

Tiny random networks, everything else real. After each trial the queue must be empty, no additional tensors may be alive, and the
next shot must be bit-identical to that of a fresh runtime.
"""

from __future__ import annotations

import ctypes
import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import psutil
import torch
from torch._subclasses import FakeTensor

from bench import Row, Scale, long_subject
from pipelines import method
from pipelines.cli.bench import default_shot
from pipelines.method import Clip, Frames, Pipeline, Progress
from pipelines.options import RunOptions
from pipelines.registry import FIVE
from pipelines.runtime.device import Device
from pipelines.runtime.memory import networks
from pipelines.runtime.runner import OutOfMemory, Runtime
from pipelines.shot import Shot

TRIALS, QUICK_TRIALS = 200, 20
"""Number of cancelled shots of all methods together."""
MOST_LEFT = 0.02
"""Maximum relative growth of tensor memory after a trial, and of all allocated memory after each third of the trials."""
NEVER = -1
SMALL: dict[str, dict] = {
    "gen3c": {"size": "128x64", "frames": 9},
    "genxd": {"size": "128x128"},
    "dimensionx": {"frames": 9},
    "i2v3d": {"size": "128x64", "frames": 4, "given": ["video_steps=2"]},
    "dualcamctrl": {"size": "128x64", "frames": 5},
}


class TightDevice(Device):
    """A device that runs out of memory once: at the first call of a network after step ``at``, or at the end of that step."""

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name)
        self.at, self.steps = NEVER, 0

    def finish(self) -> None:
        """Called by the runtime's clock at each `Progress`, in the computing thread."""
        super().finish()
        if self.steps == self.at:
            self.run_out()
        self.steps += 1

    def run_out(self) -> None:
        self.at = NEVER
        raise torch.OutOfMemoryError("out of memory")

    @contextmanager
    def around(self, pipeline: Pipeline) -> Iterator[None]:
        """While ``pipeline`` runs, make its networks' modules fail at the chosen step."""

        def fail_in_time(*_: object) -> None:
            if self.steps == self.at:
                self.run_out()

        parts = [module for network in networks(pipeline).values() for module in network.modules()]
        hooks = [module.register_forward_pre_hook(fail_in_time) for module in parts]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()


@dataclass
class Trials:
    """One method on its own runtime, and the faults that its trials found."""

    shot: Shot
    device: TightDevice = field(default_factory=TightDevice)
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        other = Runtime(Device(str(self.device.torch)))
        self.fresh, self.steps = _frames_and_steps(other, self.shot)
        other.unload()
        gc.collect()
        gc.freeze()  # half a million objects of libraries, which every trial would otherwise scan
        self.runtime = Runtime(self.device)
        self._compare("the first shot")
        self.warm_steps = self._compare("the second shot")  # with what the first one cached
        self.tensor_bytes = tensors_alive()

    @staticmethod
    def of(name: str) -> Trials:
        known = method(name)
        return Trials(Shot(known, *default_shot(known, steps=2, **SMALL[name]), RunOptions(weights="tiny")))

    def cancelled_after(self, step: int) -> None:
        """With loaded networks, cancel a shot after its `Progress` number ``step``, and check what remains."""
        run = self.runtime.run(self.shot)
        if step not in (number for number, _ in enumerate(item for item in run if isinstance(item, Progress))):
            self.faults.append(f"there is no step {step} to cancel at")
        run.close()  # type: ignore[attr-defined]
        self._check(f"cancelled at step {step}")

    def out_of_memory_after(self, step: int) -> None:
        """Make the device run out of memory at that step, loading included, and check what remains."""
        self.runtime.unload()
        self.device.at, self.device.steps = step, 0
        try:
            for _ in self.runtime.run(self.shot, around=self.device.around):
                pass
            self.faults.append(f"memory ran out at step {step}: the shot went on")
        except OutOfMemory:
            pass
        self.device.at = NEVER
        if self.runtime.loaded:
            self.faults.append(f"memory ran out at step {step}: networks were kept")
        self._check(f"memory ran out at step {step}")

    def _check(self, when: str) -> None:
        if self.runtime.waiting:
            self.faults.append(f"{when}: {self.runtime.waiting} jobs wait")
        self._compare(when)
        now = tensors_alive()
        if abs(now - self.tensor_bytes) > MOST_LEFT * self.tensor_bytes:
            self.faults.append(f"{when}: {now / 1e6:.1f} MB in tensors, {self.tensor_bytes / 1e6:.1f} before")

    def _compare(self, when: str) -> int:
        frames, steps = _frames_and_steps(self.runtime, self.shot)
        if not np.array_equal(frames, self.fresh):
            self.faults.append(f"{when}: the next shot is another")
        return steps


def _frames_and_steps(runtime: Runtime, shot: Shot) -> tuple[Frames, int]:
    frames: Frames | None = None
    steps = 0
    for item in runtime.run(shot):
        steps += isinstance(item, Progress)
        frames = item.frames if isinstance(item, Clip) else frames
    assert frames is not None
    return frames, steps


def tensors_alive() -> int:
    """Bytes of all tensors alive in this process, each storage counted once, plus torch's allocated GPU memory. Tensors of torch's own
    tracing have no memory."""
    gc.collect()
    storages: dict[int, int] = {}
    for each in gc.get_objects():
        kind = type(each)
        if issubclass(kind, torch.Tensor) and not issubclass(kind, FakeTensor) and each.device.type == "cpu":
            memory = each.untyped_storage()
            storages[memory.data_ptr()] = memory.nbytes()
    return sum(storages.values()) + (torch.cuda.memory_allocated() if torch.cuda.is_available() else 0)


class _Mallinfo(ctypes.Structure):
    """Result of the C library's ``mallinfo2`` (glibc 2.33): sums over all its arenas, in bytes."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in [
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "keepcost",
        ]
    )


def allocated_bytes() -> int:
    """Bytes that this process holds from the C library's allocator. Raises `RuntimeError` without glibc 2.33."""
    try:
        mallinfo = ctypes.CDLL(None).mallinfo2
    except AttributeError:
        raise RuntimeError(
            "This benchmark reads glibc's account of memory, which needs Linux with glibc 2.33."
        ) from None
    mallinfo.restype = _Mallinfo
    gc.collect()
    now = mallinfo()
    return now.uordblks + now.hblkhd


def private_bytes() -> int:
    """Private memory of this process, without mapped files, whose pages come and go with other programs.

    It includes pages that the allocator keeps because a part of them is in use, so it goes up and down by itself.
    """
    ctypes.CDLL(None).malloc_trim(0)
    memory = psutil.Process().memory_info()
    return memory.rss - memory.shared


class Growth:
    """Relative growth of this process's memory since the object was made."""

    def __init__(self) -> None:
        self._allocated, self._private = allocated_bytes(), private_bytes()

    def allocated(self) -> float:
        """Of what is allocated. A thread that has just ended may still hold a clip: the least within a second counts."""
        least = allocated_bytes()
        for _ in range(5):
            if least <= (1 + MOST_LEFT) * self._allocated:
                break
            time.sleep(0.2)
            least = min(least, allocated_bytes())
        return least / self._allocated - 1

    def private(self) -> float:
        return private_bytes() / self._private - 1


@long_subject
def cancel(scale: Scale) -> list[Row]:
    """200 shots cancelled (20 with --quick) and one out of memory at every step (every fourth), for all five methods."""
    torch.set_num_threads(1)  # for tiny networks, threads cost more than they save
    quick = scale.height < 400
    each = (QUICK_TRIALS if quick else TRIALS) // len(FIVE)
    return [row for name in FIVE for row in _rows(name, each, 4 if quick else 1)]


def _rows(name: str, count: int, apart: int) -> list[Row]:
    trials = Trials.of(name)
    memory = Growth()
    cancels = [number % trials.warm_steps for number in range(count)]
    rows = [_row(f"{name}: cancelled", trials, memory, trials.cancelled_after, cancels, trials.warm_steps)]
    faults = list(range(0, trials.steps, apart))
    rows.append(_row(f"{name}: out of memory", trials, memory, trials.out_of_memory_after, faults, trials.steps))
    trials.runtime.unload()
    return rows


def _row(what: str, trials: Trials, memory: Growth, trial: Callable[[int], None], at: Sequence[int], steps: int) -> Row:
    known, allocated, private, seconds = len(trials.faults), [], [], 0.0
    for third in np.array_split(np.array(at), 3):
        began = time.perf_counter()
        for step in third:
            trial(int(step))
        seconds += time.perf_counter() - began
        allocated.append(memory.allocated())
        private.append(memory.private())
    each, faults = 1e3 * seconds / len(at), trials.faults[known:]
    for fault in faults[:5]:
        print(f"{what}: {fault}", flush=True)
    words = f"{len(faults)} wrong, {len(set(at))} of {steps} steps, allocated {_shares(allocated)}, private {_shares(private)}"
    target = "0 wrong, next shot to the bit, allocated within 2 %"
    return Row(f"{what}, {len(at)} times", each, None, words, target, not faults and max(allocated) <= MOST_LEFT)


def _shares(values: Sequence[float]) -> str:
    """After each third of the trials."""
    return ", ".join(f"{value:+.1%}" for value in values)
