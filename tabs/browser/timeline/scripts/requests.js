// Sends commands to Python one at a time, because each command numbers keys as the previous answer left them.

const PATIENCE_MS = 60_000; // to wait for an answer; there may be none, for example after an error toast

export class Requests {
  constructor(send) {
    Object.assign(this, { send, waiting: [], count: 0, pending: null });
  }

  // `make` returns the command when its turn comes, or null if there is nothing left to request.
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
