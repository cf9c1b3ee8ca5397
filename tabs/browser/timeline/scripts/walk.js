// A walk that is recorded: what the camera of the picture sees, moment by moment, and a phone that is turned in the hand.

const EVERY_MS = 33;

export class Walk {
  // `stage()` gives the stage beside the timeline.
  constructor(stage) {
    Object.assign(this, { stage, cameras: [], times: [] });
    this.turned = (event) => this.follow(event);
  }

  start() {
    [this.cameras, this.times, this.last, this.began] = [[], [], null, performance.now()];
    this.keep();
    this.timer = setInterval(() => this.keep(), EVERY_MS);
    this.listen();
  }

  // What a command carries; null where nothing was recorded.
  stop() {
    clearInterval(this.timer);
    removeEventListener("deviceorientation", this.turned);
    this.keep();
    return this.cameras.length > 1 ? { cameras: this.cameras, times: this.times } : null;
  }

  keep() {
    const camera = this.stage()?.camera();
    const time = (performance.now() - this.began) / 1000;
    if (!camera || time <= (this.times.at(-1) ?? -1)) return;
    this.cameras.push(camera);
    this.times.push(time);
  }

  // Some phones ask their owner first, and tell nothing without.
  async listen() {
    const asks = window.DeviceOrientationEvent?.requestPermission;
    if (!asks || (await asks.call(DeviceOrientationEvent).catch(() => "denied")) === "granted") addEventListener("deviceorientation", this.turned);
  }

  follow({ alpha, beta }) {
    if (alpha === null || beta === null) return;
    if (this.last) {
      const [pan, tilt] = [this.last.alpha - alpha, this.last.beta - beta].map((turn) => ((turn + 540) % 360) - 180);
      this.stage()?.fly([(pan * Math.PI) / 180, (tilt * Math.PI) / 180, 0], [0, 0, 0]);
    }
    this.last = { alpha, beta };
  }
}
