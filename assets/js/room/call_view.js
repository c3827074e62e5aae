// What is seen of the call: the other one large, oneself small, a picture of the name where there is no camera, and words
// for every state.
import { trouble } from "./media/devices.js";
import { hub } from "./hub.js";

const QUALITY = { good: "Good connection", fair: "Weak connection", poor: "Poor connection" };
const BARS = { good: 3, fair: 2, poor: 1 };
const NAMES = { audio: "microphone", video: "camera" };
// A voice's level rises with its logarithm; below the first mark it is silence.
const LEVELS = [0.01, 0.04, 0.12, 0.3];

const put = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};

export class View {
  #root = document.querySelector("[data-call]");
  #other = this.#part("other");
  #own = this.#part("own");
  #facts;
  #state = "";
  #told = { audio: true, video: false };
  #hidden = new Set();

  constructor(facts) {
    this.#facts = facts;
    this.#root.querySelector("[data-call-hear]").addEventListener("click", () => this.#play());
    this.#root.querySelector("[data-call-voice]").addEventListener("click", () => this.#dismiss());
  }

  #part(name) {
    return this.#root.querySelector(`[data-call-part="${name}"]`);
  }

  get root() {
    return this.#root;
  }

  get video() {
    return this.#other;
  }

  /** Whether the connection stands. */
  get stands() {
    return this.#state === "on";
  }

  /** Whether the other sends anything. */
  get expects() {
    return this.#told.audio || this.#told.video;
  }

  /** hidden, preparing, connecting, on, stuck, still, elsewhere. */
  show(state) {
    if (state === this.#state) return;
    const before = this.#state;
    this.#state = state;
    this.#root.hidden = state === "hidden";
    this.#root.dataset.state = state;
    const { other } = this.#facts;
    const words = {
      preparing: "Starting your microphone…",
      connecting: `Connecting you with ${other}…`,
      stuck: "The connection is stuck; finding another way…",
      still: "The call stands still. It comes back with the reading.",
      elsewhere: "The call goes on in another window of yours.",
    };
    put(this.#part("words"), words[state] ?? "");
    this.#root.querySelector("[data-call-here]").hidden = state !== "elsewhere";
    const live = !["still", "elsewhere", "hidden"].includes(state);
    this.#part("controls").hidden = !live;
    if (state === "on") hub.say(before === "stuck" ? "The call is back." : `You and ${other} are connected.`);
    if (state === "stuck") hub.say(words.stuck);
  }

  /** Nothing is sent and nothing comes. */
  cleared() {
    this.#other.srcObject = null;
    this.#own.srcObject = null;
    this.#own.hidden = true;
    this.#part("silent").hidden = true;
    this.told({ audio: true, video: false });
    if (document.pictureInPictureElement) document.exitPictureInPicture();
  }

  other(stream) {
    if (this.#other.srcObject !== stream) this.#other.srcObject = stream;
    this.#play();
  }

  async #play() {
    try {
      await this.#other.play();
      this.#part("silent").hidden = true;
    } catch (fault) {
      // A page that nobody has touched yet may make no sound. (Aborted: the stream was changed meanwhile.)
      if (fault.name === "NotAllowedError") this.#part("silent").hidden = false;
    }
  }

  own({ tracks, muted }) {
    if (this.#own.srcObject?.getVideoTracks()[0] !== tracks.video) {
      this.#own.srcObject = tracks.video ? new MediaStream([tracks.video]) : null;
    }
    this.#own.hidden = !tracks.video;
    this.#root.querySelector('[data-call-button="camera"]')?.setAttribute("aria-pressed", String(!tracks.video));
    this.#root.dataset.muted = String(muted || !tracks.audio);
  }

  /** What the other one sends. */
  told({ audio, video }) {
    const { other } = this.#facts;
    if (this.#state === "on" && audio !== this.#told.audio) hub.say(audio ? `${other} can be heard.` : `${other} is muted.`);
    this.#told = { audio, video };
    this.#other.dataset.seen = String(video);
    this.#root.dataset.picture = String(video);
    this.#part("other-muted").hidden = audio;
  }

  /** The other's voice, 0 to 1. */
  level(value) {
    const level = String(LEVELS.filter((mark) => value >= mark).length);
    const face = this.#part("face");
    if (face.dataset.level !== level) face.dataset.level = level;
  }

  /** "good", "fair", "poor", or "" while it is not known. */
  quality(name) {
    const sign = this.#part("quality");
    if (sign.dataset.quality === name) return;
    if (name === "poor") hub.say("The connection is poor.");
    sign.dataset.quality = name;
    sign.dataset.bars = BARS[name] ?? 0;
    sign.hidden = !name;
    put(this.#part("quality-word"), QUALITY[name] ?? "");
  }

  /** What could not be opened, and the ways on. */
  troubles(faults, kinds) {
    const kind = kinds.find((one) => faults[one] && !this.#hidden.has(one));
    const panel = this.#part("trouble");
    panel.hidden = !kind;
    if (!kind) return;
    const { title, text } = trouble(NAMES[kind], faults[kind]);
    panel.dataset.kind = kind;
    put(this.#part("trouble-title"), title);
    const stays = kind === "video" ? " You are heard all the same." : " You hear and see all the same.";
    put(this.#part("trouble-text"), text + stays);
    put(this.#root.querySelector("[data-call-voice]"), kind === "video" ? "Go on by voice" : "Go on without");
    hub.say(title);
  }

  #dismiss() {
    this.#hidden.add(this.#part("trouble").dataset.kind);
    this.#part("trouble").hidden = true;
  }
}
