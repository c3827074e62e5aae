// What of the page comes and goes with the reading's state: the ring, the pause, the composer, buttons, warnings, words.
import { dollars, payable } from "./meter.js";

const one = (selector) => document.querySelector(selector);
const show = (element, visible) => {
  if (element) element.hidden = !visible;
};
const put = (element, text) => {
  if (element && element.textContent !== text) element.textContent = text;
};

export class Stage {
  #facts;
  #field = one("#composer-text");
  #composer = one("[data-composer]");
  #heldFocus = false;

  constructor(facts) {
    this.#facts = facts;
    this.#field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#composer.requestSubmit();
    });
  }

  /** `told(body)` takes what is written. */
  onMessage(told) {
    this.#composer.addEventListener("submit", (event) => {
      event.preventDefault();
      const body = this.#field.value.trim();
      if (!body) return;
      this.#field.value = "";
      told(body);
      this.#field.focus();
    });
  }

  focusComposer() {
    this.#field.focus();
  }

  /** Everything that hangs on the state. */
  show(meter, { answered, steppedOut }) {
    const waits = meter.state === "waiting" || meter.state === "created";
    const active = meter.state === "active";
    const paused = meter.state === "paused";
    one("[data-room]").dataset.state = meter.state;
    show(one('[data-stage="waiting"]'), waits);
    show(one('[data-stage="talk"]'), !waits);
    show(one("[data-answer]"), !answered);
    show(one('[data-move="leave"]'), active);
    show(one('[data-action="end"]'), !waits);
    if (!active) show(one("[data-meter-warning]"), false);
    this.#presence(meter, steppedOut);
    this.#compose(active, meter);
    this.#pause(meter, paused, steppedOut);
    if (waits && answered && this.#facts.role === "reader") {
      put(one(".ringing h2"), `Waiting for ${this.#facts.other}`);
      const no = one('[data-stage="waiting"] [data-move]');
      no.dataset.move = "end";
      put(no.querySelector("[data-label]"), "Cancel");
    }
  }

  #presence(meter, steppedOut) {
    const waits = meter.state === "waiting";
    const state = steppedOut ? "unknown" : meter.other_seen ? "here" : waits ? "waiting" : "away";
    const dot = one("[data-presence]");
    dot.dataset.state = state;
    const said = { here: "here", waiting: "not here yet", away: "away", unknown: "" };
    put(dot.querySelector("[data-presence-word]"), said[state]);
  }

  #compose(active, meter) {
    if (!active && document.activeElement === this.#field) this.#heldFocus = true;
    this.#field.disabled = !active;
    this.#composer.querySelector("button").disabled = !active;
    const reasons = { paused: "The reading is paused", reconnecting: "Waiting for both to be here" };
    this.#field.placeholder = active ? "Write a message" : (reasons[meter.state] ?? "Not yet");
    if (active && this.#heldFocus) {
      this.#heldFocus = false;
      this.#field.focus();
    }
  }

  #pause(meter, paused, steppedOut) {
    const reconnecting = meter.state === "reconnecting";
    show(one("[data-pause]"), paused || reconnecting);
    if (!paused && !reconnecting) return show(one('[data-action="top-up"]'), true);
    const role = this.#facts.role;
    const pause = reconnecting
      ? { title: `Waiting for ${this.#facts.other}`, text: "The clock starts again as soon as you are both here." }
      : this.#facts.pauses[meter.pause_cause];
    const crisis = meter.pause_cause === "crisis";
    const decides = reconnecting && crisis && !this.#facts.goesOn;
    if (decides) Object.assign(pause, { title: "Do you want to go on?", text: "The clock starts again when you both want to." });
    put(one("[data-pause-title]"), pause.title);
    put(one("[data-pause-text]"), pause.text);
    const lowBalance = meter.pause_cause === "low_balance";
    const atLimit = meter.ceiling_minutes_left === 0 && meter.kept_seconds === 0;
    const covered = meter.kept_seconds > 0 || payable(meter) > 0;
    const mine =
      steppedOut || meter.pause_cause === `${role}_dropped` || ["platform", "billing_stopped"].includes(meter.pause_cause) || ((lowBalance || meter.pause_cause === "ceiling") && role === "client");
    show(one("[data-return]"), decides || (paused && (mine || crisis) && (role === "reader" || covered)));
    put(one("[data-return] [data-label]"), steppedOut ? "Come back" : "Go on");
    const needsMoney = paused && role === "client" && !covered && !atLimit;
    if (role === "client") show(one("[data-pause-limit]"), paused && atLimit);
    show(one("[data-pause-top-up]"), needsMoney);
    show(one('[data-action="top-up"]'), !needsMoney);
  }

  /** The clocks of ring and grace. */
  tick(at, duration) {
    if (at.ring !== null) put(one("[data-ring-clock]"), duration(at.ring, { up: true }));
    if (at.grace !== null) put(one("[data-pause-clock]"), duration(at.grace, { up: true }));
  }

  /** Before the first answer of the server a click could do nothing: the buttons are drawn disabled. */
  ready() {
    for (const button of document.querySelectorAll("[data-move], [data-answer]")) button.disabled = false;
  }

  /** While a move is under way its buttons do nothing. */
  moving(yes) {
    for (const button of document.querySelectorAll("[data-move], [data-return], [data-answer]")) {
      button.setAttribute("aria-disabled", String(yes));
    }
  }

  say(text) {
    put(one("[data-say]"), text);
  }

  /** A word about what was just tried. */
  note(text) {
    this.say(text);
    const notices = one("#notices");
    notices.querySelector("[data-room-note]")?.remove();
    const note = document.createElement("div");
    note.className = "notice notice-warning notice-plain room-toast";
    note.dataset.roomNote = "";
    note.textContent = text;
    notices.append(note);
    setTimeout(() => note.remove(), 8000);
  }

  warn(text, step) {
    const warning = one("[data-meter-warning]");
    warning.classList.toggle("notice-danger", step <= 60);
    warning.classList.toggle("notice-warning", step > 60);
    put(warning.querySelector("[data-meter-warning-text]"), text);
    warning.hidden = false;
  }

  connection(there, unsent) {
    const kept = unsent ? " What you wrote is kept and will be sent." : "";
    put(one("[data-connection-text]"), there ? "" : `The connection is lost; trying again.${kept}`);
    show(one("[data-connection]"), !there);
  }

  /** A move was refused for want of `missing` dollars. */
  askForMoney(missing) {
    const words = one("[data-top-up-missing]");
    words.textContent = `To go on, ${dollars(missing)} more is needed.`;
    words.hidden = false;
    const dialog = one("#top-up");
    if (!dialog.open) dialog.showModal();
  }

  waitForMoney() {
    put(one("[data-top-up-waits]"), "Pay in the new tab. This page notices by itself.");
  }

  moneyCame(meter) {
    show(one("[data-meter-warning]"), false);
    show(one("[data-top-up-missing]"), false);
    if (one("[data-top-up-waits]").textContent) {
      put(one("[data-top-up-waits]"), "");
      one("#top-up").close();
      this.note(`Your balance is now ${dollars(meter.balance)}.`);
    }
  }

  /** It is over, or no longer ours. */
  stop(text, signIn) {
    this.#field.disabled = true;
    for (const button of document.querySelectorAll(".room button")) button.disabled = true;
    for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
    const words = one("[data-connection-text]");
    put(words, text);
    if (signIn) {
      const link = document.createElement("a");
      link.href = signIn;
      link.textContent = "Sign in";
      words.append(" ", link);
    }
    show(one("[data-connection]"), true);
  }
}
