// What the two browsers tell each other over the server to set up a call (docs/room.md). A seat names one start of a call
// on one page: whoever says hello last on a side has that side, and each signal names the two seats that it is between.
import { Refused, uuid } from "../server.js";

const SOON_MS = 300;
const CALM_MS = 3000;
const AGAIN_MS = 1500;

export class Signals {
  seat = "";
  #path;
  #ask;
  #heard;
  #elsewhere;
  #after = 0;
  #timer = 0;
  #calm = false;
  #sending = Promise.resolve();

  /** `ask` as hub.ask; `heard(signal)` for each one in order; `elsewhere()`: another page has taken this side. */
  constructor(path, ask, { heard, elsewhere }) {
    this.#path = path;
    this.#ask = ask;
    this.#heard = heard;
    this.#elsewhere = elsewhere;
  }

  /** Take this side of the call; the other side's seat, null before it came. Throws Refused, Unreachable. */
  async hello() {
    this.close();
    const seat = uuid();
    this.seat = seat;
    this.#sending = Promise.resolve();
    const { number, other } = await this.#ask(this.#path, { method: "POST", body: { seat, kind: "hello" } });
    if (this.seat !== seat) return null;
    // What came before is between seats that are no more.
    this.#after = number;
    this.#calm = false;
    this.#next(SOON_MS);
    return other;
  }

  /** Send in order. What does not get through is lost: a call that does not stand in time is set up anew. */
  send(to, kind, more) {
    const seat = this.seat;
    this.#sending = this.#sending.then(async () => {
      if (seat !== this.seat) return;
      try {
        await this.#ask(this.#path, { method: "POST", body: { seat, to, kind, ...more } });
      } catch (error) {
        this.#failed(error);
      }
    });
  }

  /** How often to ask: calmly once the call stands. */
  calm(yes) {
    if (this.#calm === yes) return;
    this.#calm = yes;
    if (this.seat) this.#next(yes ? CALM_MS : SOON_MS);
  }

  close() {
    clearTimeout(this.#timer);
    this.seat = "";
  }

  #next(wait) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#listen(), wait);
  }

  async #listen() {
    const seat = this.seat;
    try {
      const { items } = await this.#ask(`${this.#path}?seat=${seat}&after=${this.#after}`);
      if (seat !== this.seat) return;
      for (const item of items) {
        this.#after = item.number;
        if (item.to === null || item.to === seat) await this.#heard(item);
        if (seat !== this.seat) return;
      }
      this.#next(this.#calm ? CALM_MS : SOON_MS);
    } catch (error) {
      if (seat !== this.seat) return;
      this.#failed(error);
      if (this.seat) this.#next(AGAIN_MS);
    }
  }

  #failed(error) {
    if (!(error instanceof Refused) || error.code !== "call_elsewhere" || !this.seat) {
      // Paused, over, too many calls, no answer: the room's own calls tell what it means.
      console.info("A signal did not get through:", error.message);
      return;
    }
    this.close();
    this.#elsewhere();
  }
}
