// Records a walk: the stage's camera over time, and the rotation of a phone.

const EVERY_MS = 33;

export class Walk {
  // `stage()` returns the stage beside the timeline.
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

  // The recording for a command; null if nothing was recorded.
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

  // Some phones ask for permission first, and send no events without it.
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
