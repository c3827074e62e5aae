// The conversation: messages in the order of their numbers, each once; what is not sent yet is kept (over a reload too)
// and sent again under the same key, so that the server takes it once.
import { ContactWarning } from "./contact_warning.js";
import { hub } from "./hub.js";
import { write } from "./links.js";
import { Marks } from "./marks.js";
import { Refused, Unreachable, call, uuid } from "./server.js";

const NEAR_BOTTOM_PX = 80;

export class Talk {
  #log = document.querySelector("[data-message-log]");
  #list = document.querySelector("[data-messages]");
  #items = new Map();
  #outbox;
  #sending = false;
  #following = true;
  #facts;
  #hooks;
  #marks = new Marks();
  #warning = new ContactWarning();

  /** Number of the last message up to which all are here. */
  last = 0;

  /** hooks: failed(error) for a call that was not answered, refused(error) for one that ends the room. */
  constructor(facts, hooks) {
    this.#facts = facts;
    this.#hooks = hooks;
    // History is not news: the log is heard from its end on.
    this.#log.setAttribute("aria-live", "off");
    this.#log.addEventListener("scroll", () => (this.#following = this.#atBottom()), { passive: true });
    // What comes and goes around the log must not cover its end.
    new ResizeObserver(() => this.#following && this.toBottom()).observe(this.#log);
    this.#outbox = JSON.parse(sessionStorage.getItem(this.#key) ?? "[]");
    for (const entry of this.#outbox) this.#showPending(entry);
    hub.on("answer", () => this.#mark());
    hub.on("sent", (item) => this.#arrived(item));
  }

  /** Whoever asks about contact details. */
  get warning() {
    return this.#warning;
  }

  /** What a poll says of us, as the end of its query. */
  query() {
    if (this.#following) this.#marks.seen(this.last);
    return this.#marks.query();
  }

  #mark() {
    const own = [...this.#list.querySelectorAll(".message-mine[data-message-id]")].at(-1);
    if (own) this.#marks.under(own, Number(own.dataset.messageId));
  }

  get #key() {
    return `room-${this.#facts.id}-outbox`;
  }

  get unsent() {
    return this.#outbox.length;
  }

  #keep() {
    if (this.#outbox.length) sessionStorage.setItem(this.#key, JSON.stringify(this.#outbox));
    else sessionStorage.removeItem(this.#key);
  }

  /** The reading is over: nothing of it stays in this browser. */
  forgetAll() {
    this.#outbox = [];
    this.#keep();
  }

  historyIsIn() {
    requestAnimationFrame(() => this.#log.setAttribute("aria-live", "polite"));
  }

  /** Messages of an answer that came after `last`; how many of the other's are new. */
  receive(items) {
    let news = 0;
    const wasAtBottom = this.#atBottom();
    for (const item of items) {
      if (!this.#items.has(item.number) && !item.mine) news += 1;
      this.#place(item);
      if (item.number === this.last + 1) this.last = item.number;
    }
    if (items.length && wasAtBottom) this.toBottom();
    return news;
  }

  /** Show a message of the server in its place; the one that waited under its key becomes it. */
  #place(item) {
    if (this.#items.has(item.number)) return;
    const waiting = item.mine && this.#list.querySelector(`[data-client-key="${CSS.escape(item.client_key)}"]`);
    if (waiting) waiting.remove();
    if (item.mine) this.#forget(item.client_key);
    const place = item.hidden ? null : `${this.#facts.id}:${item.number}`;
    const element = this.#element(item.mine ? "mine" : "theirs", item.body, item.created_at, place);
    element.dataset.messageId = item.number;
    element.toggleAttribute("data-hidden", item.hidden);
    if (item.picture) this.#picture(element, item);
    const following = [...this.#list.children].find(
      (other) => other.hasAttribute("data-pending") || Number(other.dataset.messageId) > item.number,
    );
    this.#list.insertBefore(element, following ?? null);
    this.#items.set(item.number, element);
  }

  #picture(element, { picture, body }) {
    const link = document.createElement("a");
    link.className = "message-picture";
    link.href = picture.url;
    link.target = "_blank";
    const image = document.createElement("img");
    Object.assign(image, { src: picture.url, width: picture.width, height: picture.height });
    image.alt = picture.alt || "A picture without a description";
    image.addEventListener("load", () => this.#following && this.toBottom(), { once: true });
    link.append(image);
    const words = element.querySelector("[data-text]");
    words.before(link);
    words.hidden = !body;
  }

  #element(side, body, at, place = null) {
    const template = document.querySelector(`[data-message-template="${side}"]`);
    const element = template.content.firstElementChild.cloneNode(true);
    write(element.querySelector("[data-text]"), body, place);
    const author = element.querySelector("[data-author]");
    if (author) author.textContent = side === "mine" ? "You" : this.#facts.other;
    const time = element.querySelector("time");
    if (at) time.dateTime = at;
    else time.textContent = "Sending…";
    return element;
  }

  /** A line of the house in between: what happened. */
  remark(text, at) {
    const wasAtBottom = this.#atBottom();
    const element = this.#element("system", text, at);
    const pending = this.#list.querySelector("[data-pending]");
    element.dataset.messageId = this.last;
    this.#list.insertBefore(element, pending);
    if (wasAtBottom) this.toBottom();
  }

  /** Take a message from the composer. */
  say(body) {
    const entry = { client_key: uuid(), body };
    this.#outbox.push(entry);
    this.#keep();
    this.#showPending(entry);
    this.toBottom();
  }

  #showPending(entry) {
    const element = this.#element("mine", entry.body, null);
    element.dataset.clientKey = entry.client_key;
    element.dataset.pending = "";
    this.#list.append(element);
  }

  #forget(key) {
    const rest = this.#outbox.filter((entry) => entry.client_key !== key);
    if (rest.length === this.#outbox.length) return;
    this.#outbox = rest;
    this.#keep();
  }

  /** Send what waits, one after the other; called again whenever the connection is there and the reading is active. */
  async send() {
    if (this.#sending) return;
    this.#sending = true;
    try {
      while (this.#outbox.length) {
        const entry = this.#outbox[0];
        const item = await call(`${this.#facts.api}messages/`, { method: "POST", body: entry });
        this.#arrived(item);
        this.#forget(entry.client_key);
      }
    } catch (error) {
      if (error instanceof Refused && error.code === "contact_details") await this.#askAbout(error);
      else if (error instanceof Refused && (error.status === 422 || error.status === 413)) this.#returnToSender(error);
      // 409: it stands still; the message waits until the reading goes on.
      else if (error instanceof Refused && ![409, 429].includes(error.status)) this.#hooks.refused(error);
      else if (error instanceof Unreachable) this.#hooks.failed(error);
      else if (!(error instanceof Refused)) throw error;
    } finally {
      this.#sending = false;
    }
  }

  /** Ours, as the server has it. */
  #arrived(item) {
    hub.emit("said", item);
    const wasAtBottom = this.#atBottom();
    this.#place(item);
    if (item.number === this.last + 1) this.last = item.number;
    this.#mark();
    if (wasAtBottom) this.toBottom();
  }

  /** Contact details: send it all the same, or have it back in the field. */
  async #askAbout(error) {
    const entry = this.#outbox[0];
    if (await this.#warning.ask(error.problem)) {
      entry.confirm = true;
      this.#keep();
      setTimeout(() => this.send());
      return;
    }
    this.#list.querySelector(`[data-client-key="${CSS.escape(entry.client_key)}"]`).remove();
    this.#forget(entry.client_key);
    const field = document.querySelector("[data-composer] textarea");
    field.value = [entry.body, field.value].filter(Boolean).join("\n");
    field.focus();
    setTimeout(() => this.send());
  }

  #returnToSender(error) {
    const entry = this.#outbox[0];
    const element = this.#list.querySelector(`[data-client-key="${CSS.escape(entry.client_key)}"]`);
    delete element.dataset.pending;
    element.dataset.failed = "";
    element.querySelector("time").textContent = `Not sent: ${error.message}`;
    this.#forget(entry.client_key);
  }

  #atBottom() {
    return this.#log.scrollHeight - this.#log.scrollTop - this.#log.clientHeight < NEAR_BOTTOM_PX;
  }

  toBottom() {
    this.#following = true;
    this.#log.scrollTop = this.#log.scrollHeight;
  }
}
