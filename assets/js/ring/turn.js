// What a waiting client is told on every page: it is their turn to ring a reader, or a reader is free.
import { duration } from "../room/clock.js";

const bar = document.querySelector("[data-turn-bar]");
const part = (name) => bar.querySelector(`[data-turn-${name}]`);
const token = () => document.querySelector('meta[name="csrf-token"]')?.content ?? "";

export class Turn {
  #told;
  #shown = "";
  #closed = "";
  #until = null;

  /** `told(words)` is called once for each piece of news. */
  constructor(told) {
    this.#told = told;
    bar.addEventListener("click", (event) => {
      if (event.target.closest("[data-turn-close]")) this.#close();
      else if (event.target.closest("[data-turn-link]")) this.#seen();
    });
  }

  /** The answer to what the page asks: {turn, free}. */
  take({ turn, free = [] }) {
    const first = turn ?? free[0];
    const key = first ? `${turn ? "turn" : "free"} ${first.page} ${turn?.until ?? ""}` : "";
    this.#until = turn ? Date.parse(turn.until) : null;
    bar.hidden = !first || key === this.#closed;
    if (key === this.#shown) return;
    this.#shown = key;
    if (!first) return;
    const words = turn ? `It is your turn with ${first.name}` : `${first.name} is free now`;
    part("title").textContent = words;
    part("text").textContent = turn
      ? "Until the time is over nobody else can ring. Your wallet pays only once you are both in the room."
      : "You wanted to be told. Others were, too: who rings first, reads first.";
    part("left").textContent = "";
    part("link").href = first.page;
    part("link-words").textContent = `To ${first.name}`;
    if (!bar.hidden) this.#told(words);
    // The page of a reader asks at once, too.
    if (document.getElementById("waiting")) document.body.dispatchEvent(new Event("ring"));
  }

  /** `now`: the server's clock, milliseconds. */
  tick(now) {
    if (this.#until === null) return;
    if (this.#until <= now) return this.take({ turn: null });
    part("left").textContent = duration(this.#until - now, { up: true });
  }

  #close() {
    this.#closed = this.#shown;
    bar.hidden = true;
    this.#seen();
  }

  #seen() {
    if (!this.#shown.startsWith("free")) return;
    fetch(bar.dataset.seen, { method: "POST", keepalive: true, headers: { "X-CSRFToken": token() } }).catch((fault) =>
      console.warn("that it was seen could not be told; it is shown again:", fault),
    );
  }
}
