// Queries about the scene: a target to look at, limits, warnings, a walk to record, the move as film text.
import { button, fields, heading, number, optional, ranged, text, toggle } from "./fields.js";
import { Walk } from "./walk.js";

// `line` is the timeline; returns the rows, which are created once.
export function extras(line) {
  return [target(line), limits(line), look(line), recording(line)];
}

// Lens and shutter of the rehearsal; they affect the stage and its mp4, but never a method's input.
function look(line) {
  const setLook = (name) => (value) => line.ask({ do: "look", [name]: value });
  const aperture = number("Aperture f/", 0, "", 0.1, setLook("aperture"), { min: 0, max: 64, title: "2.8 is f/2.8; 0 is off: all is sharp" });
  const shutter = number("Shutter", 0, "°", 15, setLook("shutter"), { min: 0, max: 360, title: "180 is usual in film; 0 is off" });
  const where = text("Focus", "", setLook("focus"));
  where.title = "A distance, or x, y, z of a point that the focus follows; empty for the subject";
  const pick = toggle("Focus by clicking", (on) => (line.picking = on && "focus"), "Then click in the picture, or on a point in 3D");
  const follow = () => (line.target ? setLook("focus")(line.target.join(",")) : line.tell("Pick a target first: a point in the picture or in 3D."));
  line.focused = () => {
    line.picking = false;
    pick.setAttribute("aria-pressed", "false");
  };
  line.showLook = (value) => {
    for (const [field, name] of [[aperture, "aperture"], [shutter, "shutter"], [where, "focus"]]) {
      const control = field.querySelector("input");
      if (control !== document.activeElement) control.value = value?.[name] ?? "";
    }
  };
  return fields(heading("Lens"), aperture, pick, button("Focus follows the target", follow), where, shutter);
}

function target(line) {
  const where = heading("No target");
  const degrees = optional("Orbit by", 45, "°", { min: -3600, max: 3600 });
  const withTarget = (command) => () => line.target ? line.ask({ ...command(), point: line.target, object: line.object }) : line.tell("Pick a target first: a point in the picture or in 3D.");
  const pick = toggle("Pick a target", (on) => (line.picking = on), "Then click in the picture, or on a point in 3D");
  line.picked = (point, object = null) => {
    Object.assign(line, { target: point, object });
    line.picking = false;
    pick.setAttribute("aria-pressed", "false");
    where.textContent = `Target ${point.map((value) => value.toFixed(2)).join(", ")}${object ? " on an object" : ""}`;
  };
  return fields(
    pick,
    where,
    button("Look at it", withTarget(() => ({ do: "look_at" })), "Rotate the chosen keys, or all keys, towards the target"),
    button("Keep its size", withTarget(() => ({ do: "size" })), "Change the lenses of the chosen keys, or all keys, so that the target keeps its size"),
    button("Go along with it", withTarget(() => ({ do: "follow" })), "Move the chosen keys, or all keys, with the picked object"),
    degrees.field,
    button("Orbit it", withTarget(() => ({ do: "orbit", degrees: degrees.get() ?? 45 })), "Orbit the target, starting at the first chosen key"),
  );
}

function limits(line) {
  const share = ranged("New in a frame at most", 20, "%", { max: 100, step: 1 });
  const nearest = ranged("Stay away", null, "units", { max: 1, step: 0.01 });
  const turn = ranged("Turn a frame at most", null, "°", { max: 10, step: 0.1 });
  const travel = ranged("Travel at most", null, "units", { max: 1, step: 0.01 });
  const turning = ranged("Turn in all at most", null, "°", { max: 180, step: 1 });
  line.scaled = ({ reach, unit }) => {
    nearest.reach(reach, unit);
    travel.reach(3 * reach, unit);
  };
  const trained = () => {
    const { trained } = line.value;
    if (trained.travel === undefined) return line.tell(trained.words);
    travel.set(trained.travel);
    turning.set(trained.turn_degrees);
    line.say({ status: trained.words, wrong: false });
  };
  const all = () => ({
    new_share: share.get() === null ? null : share.get() / 100,
    nearest: nearest.get(),
    degrees_per_frame: turn.get(),
    travel: travel.get(),
    turn_degrees: turning.get(),
  });
  return fields(
    button("Fit the move to the scene", () => line.ask({ do: "limit", ...all() }), "Change the move just enough to stay within these limits"),
    button("As the method was trained", trained, "Set travel and rotation to the range of the method's training data"),
    ...[share, nearest, turn, travel, turning].map((each) => each.field),
    toggle("Warn", (on) => line.warn(on), "Show under the keys where much of the frame is new, and where the camera comes too near"),
  );
}

function recording(line) {
  const walk = new Walk(() => line.stage());
  const smooth = optional("Smoothed over", 0.2, "s", { min: 0, max: 5 });
  const record = toggle("Record a walk", (on) => {
    record.textContent = on ? "Stop recording" : "Record a walk";
    if (on) return walk.start();
    const made = walk.stop();
    if (made) line.ask({ do: "record", smooth: smooth.get() ?? 0, ...made });
    else line.tell("Nothing was recorded: fly in the picture while recording.");
  }, "Fly in the picture, or turn your phone, until you stop; the walk becomes the move");
  const begin = button("Begin at the picture", () => line.ask({ do: "begin" }), "Move the whole path so that its first frame is the picture");
  return fields(record, smooth.field, begin, button("As film text", () => line.ask({ do: "words" }), "Find the film moves that are nearest to this move"));
}
