"""Renders like `camera.render.triangles` with windowless OpenGL (EGL), on graphics cards; only single pixels at edges differ.

Needs the package moderngl and a driver with EGL; `refusal` says in one sentence what is missing. An OpenGL context
belongs to the thread that created it, so all contexts live on one thread of this module, and any thread may call it.
The formulas are those of `camera.render.triangles`, which provides the corners and normals; the GPU interpolates, samples
textures and shades. Import this module on first use only.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.objects.surface import UNLIT, Light, Surface
from camera.path import CameraPath
from camera.render.triangles import NEAR, MeshFrame, corners, light_in_camera, vertices_in_camera

if TYPE_CHECKING:
    import moderngl  # type: ignore[import-not-found]

OTHERWISE = "choose the plain renderer"
_FORKED = f"OpenGL was opened in the process that this one was forked from, and cannot be used here; {OTHERWISE}."
_DEVICES = 8
"""Number of devices that are tried, in the driver's order; software renderers come last."""

_CORNERS = """
#version 330
uniform vec3 across;
uniform vec3 down;
in vec3 place;
in vec3 normal;
in vec3 paint;
out vec3 seen_place;
out vec3 seen_normal;
out vec3 seen_paint;

void main() {
    seen_place = place;
    seen_normal = normal;
    seen_paint = paint;
    bool drawn = place.z > 0.0;  // the corners of a culled triangle are all zero; move them outside the picture
    gl_Position = drawn ? vec4(dot(across, place), dot(down, place), 0.0, place.z) : vec4(2.0, 2.0, 2.0, 1.0);
}
"""

_PIXELS = """
#version 330
uniform bool textured;
uniform sampler2D picture;
uniform vec3 lamp;
uniform float ambient;
uniform float number;
uniform float nearest;
in vec3 seen_place;
in vec3 seen_normal;
in vec3 seen_paint;
layout(location = 0) out vec4 colour;
layout(location = 1) out vec4 normal;
layout(location = 2) out float depth;
layout(location = 3) out float surface;

vec3 painted() {
    if (!textured) return seen_paint;
    vec2 size = vec2(textureSize(picture, 0));
    vec2 place = (seen_paint.xy - floor(seen_paint.xy)) * size;
    return 255.0 * texelFetch(picture, ivec2(clamp(place, vec2(0.0), size - 1.0)), 0).rgb;
}

void main() {
    float z = 1.0 / gl_FragCoord.w;
    vec3 facing = normalize(seen_normal);
    vec3 towards = lamp == vec3(0.0) ? normalize(-seen_place) : lamp;
    float bright = ambient + (1.0 - ambient) * max(0.0, dot(facing, towards));
    colour = vec4(floor(clamp(painted() * bright + 0.5, 0.0, 255.0)) / 255.0, 1.0);
    normal = vec4(facing, 0.0);
    depth = z;
    surface = number + 1.0;
    // The bits of a positive float grow with it, evenly in its logarithm: 64 octaves in a depth buffer of 24 bits.
    gl_FragDepth = float(floatBitsToInt(z) - floatBitsToInt(nearest)) / (64.0 * 8388608.0);
}
"""


def refusal() -> str:
    """Why OpenGL cannot be used here, in one sentence; empty if it can. Cached after the first call."""
    return _FORKED if _thread()[0] != os.getpid() else _probe()[1]


def card() -> str:
    """The name of the renderer, as the driver reports it. Raises `InputError` if OpenGL is not available."""
    if words := refusal():
        raise InputError(words)
    return _probe()[0]


class Canvas:
    """Renders frames of one size. Open it in a ``with`` block around a scene's frames: it frees context, textures and buffers.

    Any thread may draw; frames are rendered one after the other. Raises `InputError` without OpenGL (`refusal`), and for
    pictures and textures that exceed its limits.
    """

    def __init__(self, width: int, height: int) -> None:
        card()
        self.width, self.height = width, height
        self._buffers: _Buffers | None = _on_thread(lambda: _Buffers(_context(), width, height))

    def draw(self, surfaces: Sequence[Surface], path: CameraPath, frame: int, *, light: Light = UNLIT) -> MeshFrame:
        """Like `camera.render.triangles.draw`; the path must have the canvas's size."""
        if (path.width, path.height) != (self.width, self.height):
            raise InputError(
                f"The canvas is {self.width}x{self.height}, the path {path.width}x{path.height}; open one of its size."
            )
        if self._buffers is None:
            raise InputError("The canvas is closed; open another one.")
        buffers = self._buffers
        return _on_thread(lambda: buffers.draw(surfaces, path, frame, light))

    def close(self) -> None:
        """Release everything on the graphics card; may be called twice."""
        buffers, self._buffers = self._buffers, None
        if buffers is not None:
            _on_thread(buffers.release)

    def __enter__(self) -> Canvas:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(eq=False)
class _UploadedMesh:
    """A surface's buffers on the graphics card; while its triangles stay the same, each frame uploads only new vertices.

    ``source``: the arrays it was made from. They are referenced here so that their ``id`` stays valid as a key.
    """

    source: tuple[object, ...]
    resources: tuple[Any, ...]

    def release(self) -> None:
        for resource in self.resources:
            resource.release()


class _Buffers:
    """An OpenGL context with its resources; used only on this module's thread."""

    def __init__(self, context: moderngl.Context, width: int, height: int) -> None:
        self.context, self.width, self.height = context, width, height
        self.meshes: dict[tuple[int, ...], _UploadedMesh] = {}
        try:
            with context:
                self._refuse_larger(f"pictures of {width}x{height}", max(width, height), "GL_MAX_RENDERBUFFER_SIZE")
                self.program = context.program(vertex_shader=_CORNERS, fragment_shader=_PIXELS)
                self.program["nearest"] = float(NEAR)
                size = (width, height)
                kinds = ((4, "f1"), (4, "f4"), (1, "f4"), (1, "f4"))  # colour, normal, depth, surface
                self.targets = [context.renderbuffer(size, count, dtype=kind) for count, kind in kinds]
                self.depth = context.depth_renderbuffer(size)
                self.framebuffer = context.framebuffer(self.targets, self.depth)
        except Exception:
            context.release()
            raise

    def draw(self, surfaces: Sequence[Surface], path: CameraPath, frame: int, light: Light) -> MeshFrame:
        pose, lens = path.camera_from_world[frame], path.intrinsics[frame]
        with self.context:
            self.context.enable_only(self.context.DEPTH_TEST)
            self.framebuffer.use()
            self.framebuffer.clear(depth=1.0)
            self._set_uniforms(lens, light_in_camera(light, pose), light.ambient)
            used = {key for number, part in enumerate(surfaces) for key in self._show(part, pose, number)}
            for key in self.meshes.keys() - used:
                self.meshes.pop(key).release()
            return self._frame()

    def release(self) -> None:
        with self.context:
            for mesh in self.meshes.values():
                mesh.release()
            for resource in (self.framebuffer, self.depth, *self.targets, self.program):
                resource.release()
        self.meshes.clear()
        self.context.release()

    def _set_uniforms(self, lens: NDArray, lamp: NDArray[np.float32], ambient: float) -> None:
        """Pixel centres are at integers. The first row is at the bottom of OpenGL's picture, because rows are read from there."""
        for name, row, count in (("across", lens[0], self.width), ("down", lens[1], self.height)):
            middle = np.array([0, 0, 1.0])
            self.program[name] = tuple(2 * (row + middle / 2) / count - middle)
        self.program["lamp"], self.program["ambient"] = tuple(lamp), ambient

    def _show(self, part: Surface, pose: NDArray, number: int) -> tuple[tuple[int, ...], ...]:
        """Draw one surface; returns the keys of its buffers on the card."""
        triangles = part.triangles.astype(np.int32, copy=False)
        picture = part.texture if part.uv is not None else None
        paint = part.uv if part.uv is not None and picture is not None else part.colours
        keys: list[tuple[int, ...]] = [(id(part.triangles), id(paint))]
        points, _, drawing = self._reuse(keys[0], (part.triangles, paint), lambda: self._geometry(triangles, paint))
        if picture is not None:
            keys.append((id(picture),))
            (texture,) = self._reuse(keys[1], (picture,), lambda: (self._texture(picture),))
            texture.use(0)
        self.program["textured"], self.program["number"] = picture is not None, float(number)
        points.write(corners(vertices_in_camera(part, pose), triangles))
        drawing.render()
        return tuple(keys)

    def _reuse(self, key: tuple[int, ...], source: tuple, make: Callable[[], tuple]) -> tuple[Any, ...]:
        if key not in self.meshes:
            self.meshes[key] = _UploadedMesh(source, make())
        return self.meshes[key].resources

    def _geometry(self, triangles: NDArray[np.int32], paint: NDArray) -> tuple[Any, ...]:
        """Buffers for vertices and their colours (0..255) or texture coordinates."""
        painted = np.zeros((triangles.size, 3), np.float32)
        painted[:, : paint.shape[1]] = paint[triangles.reshape(-1)]
        points = self.context.buffer(reserve=triangles.size * 24, dynamic=True)
        paints = self.context.buffer(painted)
        layout = [(points, "3f 3f", "place", "normal"), (paints, "3f", "paint")]
        return points, paints, self.context.vertex_array(self.program, layout)

    def _texture(self, picture: NDArray[np.uint8]) -> Any:
        height, width = picture.shape[:2]
        self._refuse_larger(f"textures of {width}x{height}", max(width, height), "GL_MAX_TEXTURE_SIZE")
        return self.context.texture((width, height), 3, np.ascontiguousarray(picture), alignment=1)

    def _refuse_larger(self, what: str, side: int, limit: str) -> None:
        most = int(self.context.info[limit])
        if side > most:
            raise InputError(f"OpenGL draws no {what} here, its limit is {most}; {OTHERWISE} or make it smaller.")

    def _frame(self) -> MeshFrame:
        size = (self.height, self.width)
        colour, normal = np.empty((*size, 3), np.uint8), np.empty((*size, 3), np.float32)
        depth, surface = np.empty(size, np.float32), np.full(size, np.nan, np.float32)
        for number, (array, count) in enumerate(((colour, 3), (normal, 3), (depth, 1), (surface, 1))):
            kind = "f1" if array.dtype == np.uint8 else "f4"
            self.framebuffer.read_into(array, components=count, attachment=number, alignment=1, dtype=kind)
        problem = self.context.error
        if problem != "GL_NO_ERROR" or np.isnan(surface[0, 0]):  # a lost context writes nothing and reports nothing
            reason = "its context is lost" if problem == "GL_NO_ERROR" else problem
            raise InputError(f"OpenGL failed while it drew ({reason}); try again, or {OTHERWISE}.")
        return MeshFrame(colour, depth, surface.astype(np.int32) - 1, normal)


@lru_cache(maxsize=1)
def _thread() -> tuple[int, ThreadPoolExecutor]:
    """The thread of all contexts, and its process id: a fork inherits this value, but not the thread."""
    return os.getpid(), ThreadPoolExecutor(1, thread_name_prefix="opengl")


def _on_thread(work: Callable[[], Any]) -> Any:
    """Run ``work`` on the thread of all contexts; converts its errors to `InputError`."""
    process, thread = _thread()
    if process != os.getpid():
        raise InputError(_FORKED)
    import moderngl

    try:
        return thread.submit(work).result()
    except moderngl.Error as error:
        raise InputError(f"OpenGL failed: {error}; {OTHERWISE} or a smaller picture.") from error


@lru_cache(maxsize=1)
def _probe() -> tuple[str, str]:
    """The renderer's name and the reason why there is none; one of them is empty."""
    try:
        return _on_thread(_card_of_context), ""
    except ImportError:
        return "", f"OpenGL needs the package moderngl; install it (pip install moderngl) or {OTHERWISE}."
    except InputError as error:
        return "", str(error)


def _card_of_context() -> str:
    context = _context()
    name = str(context.info["GL_RENDERER"])
    context.release()
    return name


def _context() -> moderngl.Context:
    """A context on the first device of the driver that can create one."""
    import moderngl

    problems: list[str] = []
    for device in range(_DEVICES):
        options: dict[str, Any] = {"backend": "egl", "device_index": device}
        try:
            return moderngl.create_context(330, standalone=True, **options)
        except Exception as error:  # glcontext raises plain Exception
            problems.append(" ".join(str(error).split()).rstrip("."))
    raise InputError(
        f"OpenGL cannot be opened here ({problems[0]}); install a driver with EGL (on Debian and Ubuntu libegl1, libgl1 "
        f"and libgl1-mesa-dri) or {OTHERWISE}."
    )
