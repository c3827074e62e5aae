// Who writes, and what was got and read: told with every poll, shown under the own last message.
import { hub } from "./hub.js";

const TYPES_FOR_MS = 3000;

export class Marks {
  #field = document.querySelector("[data-composer] textarea");
  #line = document.querySelector("[data-typing]");
  #mark = document.createElement("span");
  #typedAt = -Infinity;
  #said = false;
  #read = 0;
  #other = { delivered: 0, read: 0 };

  constructor() {
    this.#mark.className = "message-mark";
    // Part of the message for whoever reads it, but no news.
    this.#mark.setAttribute("aria-live", "off");
    this.#field.addEventListener("input", () => (this.#typedAt = this.#field.value ? performance.now() : -Infinity));
    this.#field.form.addEventListener("submit", () => (this.#typedAt = -Infinity));
    hub.on("answer", (answer) => this.#hear(answer));
    hub.on("meter", ({ meter }) => meter.state !== "active" && this.#show(false));
  }

  /** All up to this number are before the reader's eyes. */
  seen(number) {
    if (!document.hidden) this.#read = Math.max(this.#read, number);
  }

  /** What the next poll says of us, as the end of its query. */
  query() {
    const typing = performance.now() - this.#typedAt < TYPES_FOR_MS;
    const news = typing || this.#said ? `&typing=${typing}` : "";
    this.#said = typing;
    return `&read=${this.#read}${news}`;
  }

  /** Put the mark under `element`, the own last message, which has `number`. */
  under(element, number) {
    const { delivered, read } = this.#other;
    const word = number <= read ? "Read" : number <= delivered ? "Delivered" : "Sent";
    if (this.#mark.textContent !== word) this.#mark.textContent = word;
    const time = element.querySelector("time");
    if (this.#mark.previousElementSibling !== time) time.after(this.#mark);
  }

  #hear(answer) {
    this.#other = answer;
    this.#show(answer.other_typing);
  }

  #show(writes) {
    const text = writes ? `${hub.facts.other} is writing…` : "";
    if (this.#line.textContent !== text) this.#line.textContent = text;
  }
}
