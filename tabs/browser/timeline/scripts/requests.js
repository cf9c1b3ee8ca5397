// Sends commands to Python one at a time, because each numbers keys as the previous answer left them.

const PATIENCE_MS = 60_000; // after which an answer that did not come, as when a toast said why, is no longer waited for

export class Requests {
  constructor(send) {
    Object.assign(this, { send, waiting: [], count: 0, pending: null });
  }

  // `make` gives the command when its turn comes, or null where there is nothing left to ask.
  add(make) {
    this.waiting.push(make);
    this.next();
  }

  get busy() {
    return this.pending !== null;
  }

  next() {
    if (this.busy || !this.waiting.length) return;
    const command = this.waiting.shift()();
    if (!command) return this.next();
    this.pending = ++this.count;
    this.timer = setTimeout(() => this.answered(this.pending), PATIENCE_MS);
    this.send({ ...command, request: this.pending });
  }

  answered(number) {
    if (number !== this.pending) return;
    clearTimeout(this.timer);
    this.pending = null;
    this.next();
  }
}
