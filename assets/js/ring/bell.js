// The bell's sound: two soft strikes every few seconds. Browsers let a page sound only after a click or a key on it, so the
// first one anywhere wakes it. The mute switch is remembered, for all tabs.
const MUTED = "ring-muted";
const EVERY_MS = 2600;
const STRIKES = [
  { hertz: 784, after: 0 },
  { hertz: 1047, after: 0.28 },
];

export class Bell {
  #context = null;
  #timer = 0;
  #woken;

  /** `woken()` is called whenever the browser begins to let this page sound. */
  constructor(woken) {
    this.#woken = woken;
    for (const name of ["pointerdown", "keydown"]) {
      document.addEventListener(name, () => this.#wake(), { capture: true, passive: true });
    }
  }

  get muted() {
    return localStorage.getItem(MUTED) === "yes";
  }

  set muted(yes) {
    localStorage.setItem(MUTED, yes ? "yes" : "no");
    if (yes) this.stop();
  }

  /** Whether the browser lets this page sound. */
  get awake() {
    return this.#context?.state === "running";
  }

  start() {
    if (this.#timer || this.muted || !this.awake) return;
    this.strike();
    this.#timer = setInterval(() => this.strike(), EVERY_MS);
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = 0;
  }

  /** Once, to try it. */
  strike() {
    if (!this.awake) return;
    for (const { hertz, after } of STRIKES) {
      const at = this.#context.currentTime + after;
      const tone = new OscillatorNode(this.#context, { frequency: hertz, type: "sine" });
      const volume = new GainNode(this.#context, { gain: 0 });
      volume.gain.setValueAtTime(0, at);
      volume.gain.linearRampToValueAtTime(0.25, at + 0.02);
      volume.gain.exponentialRampToValueAtTime(0.001, at + 1.1);
      tone.connect(volume).connect(this.#context.destination);
      tone.start(at);
      tone.stop(at + 1.2);
    }
  }

  async #wake() {
    if (this.awake) return;
    this.#context ??= new AudioContext();
    // Refused where the browser counts this key or touch as no gesture: the next one is tried again.
    await this.#context.resume().catch((fault) => console.info("no sound yet:", fault));
    if (this.awake) this.#woken();
  }
}
