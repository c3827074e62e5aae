// What this side sends: a microphone's track and, in a reading by video, a camera's. Stopping a track is what puts the
// camera's light out; a track that is only disabled leaves it on.
import { choose, open } from "./devices.js";

const NAMES = { audio: "microphone", video: "camera" };

export class LocalMedia {
  tracks = { audio: null, video: null };
  /** What could not be opened: {audio: DOMException, video: DOMException}. */
  faults = {};
  muted = false;
  cameraOff = false;
  #ended;
  #opening = 0;

  /** `ended(kind)`: a device went away by itself. */
  constructor(ended) {
    this.#ended = ended;
  }

  /** Open what is wanted and not open yet. Refusals are kept in `faults`. */
  async start(kinds) {
    const turn = ++this.#opening;
    await Promise.all(
      kinds.map(async (kind) => {
        if (this.tracks[kind] || (kind === "video" && this.cameraOff)) return;
        try {
          const track = await open(NAMES[kind]);
          // Stopped meanwhile: the light must not stay on.
          if (turn !== this.#opening) return track.stop();
          delete this.faults[kind];
          this.#take(kind, track);
        } catch (fault) {
          this.faults[kind] = fault;
        }
      }),
    );
    return turn === this.#opening;
  }

  /** Another device; the old one goes on where the new one does not start. Throws DOMException. */
  async change(kind, id) {
    const track = await open(NAMES[kind], id);
    choose(NAMES[kind], id);
    delete this.faults[kind];
    this.#take(kind, track);
    return track;
  }

  mute(yes) {
    this.muted = yes;
    if (this.tracks.audio) this.tracks.audio.enabled = !yes;
  }

  /** Off stops the camera; on opens it anew. Throws DOMException. */
  async camera(on) {
    this.cameraOff = !on;
    if (!on) return this.#drop("video");
    return this.tracks.video ?? this.change("video", undefined);
  }

  stop() {
    this.#opening += 1;
    for (const kind of Object.keys(this.tracks)) this.#drop(kind);
  }

  #take(kind, track) {
    this.#drop(kind);
    this.tracks[kind] = track;
    if (kind === "audio") track.enabled = !this.muted;
    track.addEventListener("ended", () => this.tracks[kind] === track && this.#ended(kind));
  }

  #drop(kind) {
    this.tracks[kind]?.stop();
    this.tracks[kind] = null;
    return null;
  }
}
