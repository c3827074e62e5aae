// The call of a reading by voice or video: begins when the reading is active, stands still when it does, ends with the
// money. What carries it (media/webrtc.js, media/agora.js) is one small interface; what it looks like is call_view.js.
import { watchControls } from "./call_controls.js";
import { Quality } from "./call_quality.js";
import { View } from "./call_view.js";
import { hub } from "./hub.js";
import { LocalMedia } from "./media/local.js";
import { mayGoOn, endsIn } from "./media/money.js";

class Call {
  transport = null;
  view = null;
  local = new LocalMedia((kind) => this.#lost(kind));
  quality = null;
  running = false;
  elsewhere = false;
  kinds = ["audio"];
  #turn = 0;
  #cut = 0;
  #looking = false;
  #meter = null;
  #carrier = null;

  /** With the room's first meter. */
  open() {
    const { media } = hub.facts;
    this.kinds = media.kinds;
    this.view = new View(hub.facts);
    this.quality = new Quality(this.view);
    this.#carrier = import(`./media/${media.transport}.js`);
    watchControls(this);
    hub.beatBody = () => this.quality.beat();
    window.addEventListener("online", () => this.transport?.restart());
    navigator.connection?.addEventListener("change", () => this.transport?.restart());
    window.addEventListener("pagehide", () => this.stop());
  }

  /** A newer meter, or time passing: be where the reading is. `now`: the server's clock, milliseconds. */
  follow(meter, now) {
    this.#meter = meter;
    const { allowed, look } = mayGoOn(meter, now, hub.facts);
    clearTimeout(this.#cut);
    if (look) this.#look();
    if (!allowed) return this.#rest(meter);
    this.#cut = setTimeout(() => this.follow(this.#meter, hub.now()), Math.max(20, endsIn(meter, now)));
    if (!this.running && !this.elsewhere) this.start();
  }

  async start() {
    const turn = ++this.#turn;
    this.running = true;
    this.elsewhere = false;
    this.view.show("preparing");
    const [carrier, token, opened] = await Promise.all([this.#carrier, hub.tokens.need(this.#meter), this.local.start(this.kinds)]);
    if (turn !== this.#turn || !opened) return;
    this.view.own(this.local);
    this.view.troubles(this.local.faults, this.kinds);
    if (!token) {
      // Refused, or no answer: the meter tells which; asked again with the next one.
      this.running = false;
      return;
    }
    this.transport ??= new carrier.Transport({
      facts: hub.facts,
      ask: hub.ask,
      tokens: () => hub.tokens.current,
      on: {
        stream: (stream) => this.view.other(stream),
        state: (state) => this.running && this.view.show(state),
        status: (told) => this.view.told(told),
        elsewhere: () => this.#taken(),
      },
    });
    this.quality.begin(this.transport);
    this.tell();
    await this.transport.start(this.local.tracks);
  }

  /** Stop everything at once: tracks, connection, camera light. */
  stop() {
    this.#turn += 1;
    clearTimeout(this.#cut);
    this.running = false;
    this.local.stop();
    this.transport?.stop();
    this.quality.end();
    this.view.cleared();
  }

  /** What this side sends has changed. */
  tell() {
    const { muted, tracks } = this.local;
    this.transport?.status({ audio: Boolean(tracks.audio) && !muted, video: Boolean(tracks.video) });
    this.view.own(this.local);
  }

  /** Send what the local tracks are now. */
  async send(kind) {
    this.tell();
    await this.transport?.replace(kind, this.local.tracks[kind]);
  }

  #rest(meter) {
    if (this.running) this.stop();
    if (!this.elsewhere) this.view.show(meter.state === "waiting" || meter.state === "created" ? "hidden" : "still");
  }

  #taken() {
    this.stop();
    this.elsewhere = true;
    this.view.show("elsewhere");
    hub.say("The call goes on in another window of yours.");
  }

  /** The paid time is up and nobody has said yet that there is more. */
  async #look() {
    if (this.#looking) return;
    this.#looking = true;
    try {
      await hub.ask(hub.facts.api);
    } catch (error) {
      console.info("Whether the time goes on is not known:", error.message);
    } finally {
      this.#looking = false;
    }
  }

  #lost(kind) {
    const name = kind === "audio" ? "microphone" : "camera";
    this.local.tracks[kind] = null;
    this.local.faults[kind] = new DOMException("It was unplugged.", "NotFoundError");
    this.send(kind);
    this.view.troubles(this.local.faults, this.kinds);
    hub.say(`Your ${name} has gone away.`);
  }
}

export const call = new Call();
hub.on("meter", ({ meter }) => {
  if (!hub.facts.media) return;
  if (!call.view) call.open();
  call.follow(meter, hub.now());
});
hub.on("tick", ({ meter, now }) => call.view && call.follow(meter, now));
hub.on("tokens", () => call.running && call.transport?.renew());
hub.on("over", () => {
  if (!call.view) return;
  call.stop();
  call.view.show("hidden");
});
