// Where Agora carries the reading: a word over its messaging (RTM) that there is something new, so that the other page looks
// at once. Nothing is stored or believed of what comes that way; without it the page looks every second all the same.
import { hub } from "./hub.js";

const SCRIPT = new URL("../agora-rtm.js", import.meta.url).href;
const RENEW_BEFORE_MS = 30000;
const RETRY_MS = 30000;
const WORD = "look";

function loaded() {
  if (window.AgoraRTM) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.addEventListener("load", resolve, { once: true });
    script.addEventListener("error", reject, { once: true });
    script.src = SCRIPT;
    document.head.append(script);
  });
}

class Nudge {
  #look;
  #client = null;
  #channel = "";
  #next = 0;
  #busy = false;

  constructor(look) {
    this.#look = look;
    hub.on("tick", (detail) => this.#tend(detail));
    hub.on("said", () => this.#publish());
    hub.on("over", () => this.#leave());
  }

  async #tend({ meter, now }) {
    if (this.#busy || meter.state !== "active" || now < this.#next) return;
    this.#busy = true;
    try {
      await loaded();
      const tokens = await hub.ask(`${hub.facts.api}rtc-token/`, { method: "POST" });
      if (this.#client) await this.#client.renewToken(tokens.rtm_token);
      else await this.#enter(tokens);
      this.#next = Math.max(now + RETRY_MS, Date.parse(tokens.expires_at) - RENEW_BEFORE_MS);
    } catch {
      // Looking every second goes on; the shortcut is tried again later.
      this.#leave();
      this.#next = now + RETRY_MS;
    } finally {
      this.#busy = false;
    }
  }

  async #enter(tokens) {
    const client = new window.AgoraRTM.RTM(tokens.app_id, String(tokens.uid));
    client.addEventListener("message", (event) => {
      if (event.publisher !== String(tokens.uid) && event.message === WORD) this.#look();
    });
    await client.login({ token: tokens.rtm_token });
    await client.subscribe(tokens.channel);
    this.#client = client;
    this.#channel = tokens.channel;
  }

  #publish() {
    this.#client?.publish(this.#channel, WORD).catch(() => this.#leave());
  }

  #leave() {
    const client = this.#client;
    this.#client = null;
    this.#next = 0;
    client?.logout().catch(() => undefined);
  }
}

/** `look()`: ask the server for messages now. */
export function nudge(look) {
  if (hub.facts.texts.nudge) return new Nudge(look);
  return null;
}
