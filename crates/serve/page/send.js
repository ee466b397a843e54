// Work on many files, a few at a time.

/** A queue of items of which at most `width` are worked on at once. */
export class Lane {
  #waiting = [];
  #running = 0;
  #stopper = new AbortController();
  #idle = [];

  /**
   * `work(item, signal)` does one item and must not throw; `changed()` is called whenever an item ends or the lane
   * stops.
   */
  constructor(work, changed = () => {}, width = 3) {
    Object.assign(this, { work, changed, width, finished: 0, total: 0 });
  }

  /** Whether there is still work. */
  get isBusy() {
    return this.#running + this.#waiting.length > 0;
  }

  /** Adds items behind those that wait. */
  add(items) {
    if (!this.isBusy) [this.finished, this.total] = [0, 0];
    this.#waiting.push(...items);
    this.total += items.length;
    this.#fill();
  }

  /** Stops the running items by their signal, and forgets those that wait; ends with the latter. */
  stop() {
    const dropped = this.#waiting.splice(0);
    this.total -= dropped.length;
    this.#stopper.abort();
    this.#stopper = new AbortController();
    this.#settle();
    return dropped;
  }

  /** Waits until nothing is left to do. */
  done() {
    return this.isBusy ? new Promise((resolve) => this.#idle.push(resolve)) : Promise.resolve();
  }

  #fill() {
    while (this.#running < this.width && this.#waiting.length > 0) this.#start(this.#waiting.shift());
  }

  async #start(item) {
    this.#running += 1;
    try {
      await this.work(item, this.#stopper.signal);
    } finally {
      this.#running -= 1;
      this.finished += 1;
      this.#fill();
      this.#settle();
    }
  }

  #settle() {
    if (!this.isBusy) for (const resolve of this.#idle.splice(0)) resolve();
    this.changed();
  }
}
