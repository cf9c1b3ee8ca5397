"""A key in 3D on a figure, without the rest of the app: arrows move it, rings turn it, by pointer and keyboard."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from camera.rotation import from_pan_tilt_roll
from tabs.browser import stage

ORIGIN = "http://gizmo.test/"
HERE = Path(stage.__file__).parent
OPEN = """<!doctype html><style>CSS</style><body style="margin:0"><div class="stage-plot" style="width:600px;height:400px"></div>
<script src="plotly.js"></script><script type="module">
import { Gizmo } from "./timeline/scripts/gizmo.js";
const plot = document.querySelector("div");
const points = { x: [-2, 2, 2, -2], y: [-1, 4, 0, 3], z: [-1, -1, 2, 2] };
const scene = { aspectmode: "data", camera: { eye: { x: 0.9, y: -1.1, z: 0.7 } } };
await Plotly.newPlot(plot, [{ type: "scatter3d", mode: "markers", ...points }], { scene, margin: { l: 40, r: 0, t: 20, b: 10 } });
window.asked = [];
window.gizmo = new Gizmo(() => plot, { shift: (by, own) => asked.push(["shift", by, own]), turn: (by, own) => asked.push(["turn", by, own]) });
window.take = (pose) => gizmo.take({ keyed: true, chosen: [0], keys: [{ pose, focal_mm: 35 }] });
gizmo.toggle(true);
document.title = "ready";
</script>"""


@pytest.fixture(scope="module")
def page(chromium):
    """One figure for all tests, as compiling plotly.js takes seconds; `take` resets it."""
    context = chromium.new_context(viewport={"width": 640, "height": 440})
    page = context.new_page()

    def answer(route) -> None:
        name = route.request.url.removeprefix(ORIGIN)
        if not name:
            css = (HERE / "stage.css").read_text()
            return route.fulfill(body=OPEN.replace("CSS", css), content_type="text/html")
        file = stage.PLOTLY_JS if name == "plotly.js" else HERE / name
        return route.fulfill(body=file.read_bytes(), content_type="text/javascript")

    page.route(ORIGIN + "**", answer)
    page.goto(ORIGIN)
    page.wait_for_function("document.title === 'ready'")
    yield page
    context.close()


def take(page, pan: float = 0.0) -> None:
    """Set a key at (0.2, 0.1, 1), turned to the right."""
    pose = np.concatenate([from_pan_tilt_roll(pan, 0, 0), [[0.2], [0.1], [1.0]]], axis=1)
    page.evaluate("pose => { gizmo.own = false; asked.length = 0; take(pose); }", pose.ravel().tolist())


def places(page, kind: str, axis: int, *shares: float) -> list[list[float]]:
    """Page coordinates in pixels at fractions of a handle's length."""
    return page.evaluate(
        """([kind, axis, shares]) => {
          const path = gizmo.handles.find((one) => one.kind === kind && one.index === axis).paths[0];
          const box = gizmo.svg.getBoundingClientRect();
          const at = (share) => path.getPointAtLength(share * path.getTotalLength());
          return shares.map(at).map(({ x, y }) => [x + box.left, y + box.top]);
        }""",
        [kind, axis, list(shares)],
    )


def drag(page, start: list[float], end: list[float]) -> list:
    """The request sent after a drag."""
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=4)
    page.mouse.up()
    return page.evaluate("asked.pop()")


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_an_arrow_dragged_by_its_own_length_moves_the_key_by_it(page, axis):
    take(page)
    long = page.evaluate("gizmo.long")
    tip, low = places(page, "move", axis, 0.97, 0.37)  # nearer to the key, other handles cross it
    kind, by, own = drag(page, tip, low)
    wanted = -np.eye(3)[axis] * 0.6 * 0.75 * long  # an arrow starts at a quarter of its length
    np.testing.assert_allclose(by, wanted, atol=0.06 * long)
    assert (kind, own) == ("shift", False) and by.count(0) == 2


@pytest.mark.parametrize(("axis", "name"), [(0, "tilt"), (1, "pan"), (2, "roll")])
def test_a_ring_dragged_along_itself_turns_the_key_as_its_number_says(page, axis, name):
    take(page)
    start, end = places(page, "turn", axis, 0.125, 0.325)
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=4)
    drawn = np.reshape(page.evaluate("gizmo.pose.turn"), (3, 3))
    page.mouse.up()
    kind, by, _ = page.evaluate("asked.pop()")
    angles = dict(zip(("pan", "tilt", "roll"), by))
    assert kind == "turn" and angles.pop(name) == pytest.approx(72, abs=35) and set(angles.values()) == {0}
    np.testing.assert_allclose(
        from_pan_tilt_roll(*by), drawn, atol=1e-6, err_msg="the key would jump when it is let go"
    )


def test_a_ring_is_turned_up_by_the_upward_arrow_key(page):
    take(page)
    page.get_by_role("button", name="Turn: tilt").focus()
    page.keyboard.press("ArrowUp")
    assert page.evaluate("asked.pop()") == ["turn", [0, pytest.approx(1), 0], False], "tilt is positive upwards"


def test_keys_of_the_keyboard_move_and_turn_along_the_own_axes_too(page):
    take(page, pan=30)
    page.evaluate("gizmo.own = true, gizmo.draw()")
    direction = page.evaluate("gizmo.axis(2)")
    np.testing.assert_allclose(direction, [0.5, 0, np.sqrt(0.75)], atol=1e-9)
    long = page.evaluate("gizmo.long")
    page.get_by_role("button", name="Move forward").focus()
    page.keyboard.press("Shift+ArrowUp")
    np.testing.assert_allclose(page.evaluate("asked.pop()[1]"), [0, 0, 0.2 * long])
    page.get_by_role("button", name="Turn: roll").focus()
    page.keyboard.press("ArrowLeft")
    kind, by, own = page.evaluate("asked.pop()")
    np.testing.assert_allclose(by, [0, 0, -1])
    assert kind == "turn" and own is True


def test_it_is_hidden_without_one_chosen_key(page):
    take(page)
    assert page.locator("svg.tl-gizmo").is_visible()
    page.evaluate("gizmo.take({ ...gizmo.value, chosen: [] })")
    assert not page.locator("svg.tl-gizmo").is_visible()
