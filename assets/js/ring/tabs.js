// Several tabs of one reader: what one of them learns or does, all know; only one asks while hidden, and only one sounds.
export class Tabs {
  #channel = "BroadcastChannel" in globalThis ? new BroadcastChannel("soulseer-ring") : null;
  /** Whether this tab asks for all hidden ones. Without locks (plain http from another machine) each asks for itself. */
  leads = !navigator.locks;
  #letGo = null;

  /** `told(news)` takes what another tab says. */
  constructor(told) {
    this.#channel?.addEventListener("message", (event) => told(event.data));
    navigator.locks?.request("soulseer-ring-leader", () => {
      this.leads = true;
      return new Promise(() => {}); // held until the tab is closed
    });
  }

  say(news) {
    this.#channel?.postMessage(news);
  }

  /** Do `sound()` once no other tab sounds; until `silent()`. */
  async sound(sound) {
    if (this.#letGo) return;
    if (!navigator.locks) return sound();
    const stop = new AbortController();
    this.#letGo = () => stop.abort();
    await navigator.locks
      .request("soulseer-ring-sound", { signal: stop.signal }, () => {
        sound();
        return new Promise((resolve) => (this.#letGo = resolve));
      })
      .catch((fault) => {
        if (fault.name !== "AbortError") throw fault;
      });
  }

  silent() {
    this.#letGo?.();
    this.#letGo = null;
  }
}
