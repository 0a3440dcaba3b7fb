// Workers that draw: the newest wish first, so that what is looked at now does not wait for what was scrolled past.

const MEMORY = 768 * 2 ** 20; // bytes that all copies of the numbers may take together; a packed copy is as large as the file

export class Pool {
  /** code: of the worker, as text.  bytes: of the file. */
  constructor(code, bytes) {
    const address = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    const count = Math.max(1, Math.min(4, navigator.hardwareConcurrency || 2, Math.floor(MEMORY / (2 * bytes.length))));
    this.wishes = [];
    this.idle = [];
    this.ready = Promise.all(
      [...Array(count).keys()].map(async () => {
        const worker = new Worker(address);
        await this._ask(worker, { bytes });
        this.idle.push(worker);
        this._next();
      }),
    );
  }

  /** A picture: {pixels, views}. wish: {seed, label, truncation, maps}. signal: when it fires, a wish that waits is dropped. */
  draw(wish, signal) {
    return new Promise((resolve, reject) => {
      const entry = { wish, resolve, reject };
      signal?.addEventListener("abort", () => {
        this.wishes = this.wishes.filter((other) => other !== entry);
        reject(new DOMException("no longer wanted", "AbortError"));
      });
      if (wish.maps) this.wishes.unshift(entry);
      else this.wishes.push(entry);
      this._next();
    });
  }

  async _next() {
    if (!this.idle.length || !this.wishes.length) return;
    const worker = this.idle.pop();
    const { wish, resolve, reject } = this.wishes.shift();
    try {
      resolve(await this._ask(worker, wish));
    } catch (error) {
      reject(error);
    }
    this.idle.push(worker);
    this._next();
  }

  _ask(worker, message) {
    return new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => (data.error ? reject(new Error(data.error)) : resolve(data));
      worker.onerror = (event) => reject(new Error(event.message || "the worker could not be started"));
      worker.postMessage(message);
    });
  }
}
