// The tokens for voice and video: asked for while the reading is active, renewed before they expire, dropped when it
// stands still. They never outlive the client's money, so a reading that goes on needs new ones.
import { hub } from "./hub.js";
import { Refused, call } from "./server.js";

const RENEW_BEFORE_MS = 30000;
const RETRY_MS = 5000;

export class Tokens {
  #facts;
  #clock;
  #next = 0;
  #asking = null;

  /** {app_id, channel, uid, token, rtm_token, expires_at}, or null while there is no call to be made. */
  current = null;

  constructor(facts, clock) {
    this.#facts = facts;
    this.#clock = clock;
  }

  /** The tokens, fetched where there are none; null where the server gives none now. */
  async need(meter) {
    await this.tend(meter);
    return this.current;
  }

  /** Called about twice a second with the newest meter. */
  async tend(meter) {
    if (meter.modality === "text") return;
    if (meter.state !== "active") {
      this.current = null;
      this.#next = 0;
      return;
    }
    if (!this.#asking && this.#clock.now() < this.#next) return;
    this.#asking ??= this.#fetch();
    await this.#asking;
    this.#asking = null;
  }

  async #fetch() {
    try {
      this.current = await call(`${this.#facts.api}rtc-token/`, { method: "POST" });
      const left = Date.parse(this.current.expires_at) - this.#clock.now();
      this.#next = this.#clock.now() + Math.max(RETRY_MS, left - RENEW_BEFORE_MS);
      hub.emit("tokens");
    } catch (error) {
      // What a refusal means for the room, the next heartbeat tells.
      this.#next = this.#clock.now() + (error instanceof Refused ? Math.max(RETRY_MS, error.retryAfterSeconds * 1000) : RETRY_MS);
    }
  }
}
