// How good the connection is: measured every two seconds, shown in words and bars, told with every heartbeat.
import { quality } from "./media/figures.js";
import { uuid } from "./server.js";

const EVERY_MS = 2000;
const LEVEL_EVERY_MS = 150;

export class Quality {
  #view;
  #timer = 0;
  #levels = 0;
  #transport = null;
  #samples = [];
  // The server tells pages of one person apart by it, and expects freezes counted from the beginning.
  #tab = uuid();
  #freezes = 0;

  constructor(view) {
    this.#view = view;
  }

  begin(transport) {
    this.end();
    this.#transport = transport;
    this.#timer = setInterval(() => this.#measure(), EVERY_MS);
    this.#levels = setInterval(() => this.#view.level(transport.level()), LEVEL_EVERY_MS);
  }

  end() {
    clearInterval(this.#timer);
    clearInterval(this.#levels);
    this.#transport = null;
    this.#samples = [];
    this.#view.level(0);
    this.#view.quality("");
  }

  /** What a heartbeat tells of the time since the last one: {connection, tab}; undefined where no call runs. */
  beat() {
    if (!this.#transport) return undefined;
    const samples = this.#samples.splice(0);
    const tab = this.#tab;
    if (!this.#view.stands) return { tab, connection: { quality: "lost" } };
    if (!samples.length) return { tab, connection: { quality: "unknown" } };
    const of = (name) => samples.map((one) => one[name]);
    const mean = (name) => of(name).reduce((sum, value) => sum + value, 0) / samples.length;
    const figures = {
      round_trip_ms: Math.round(mean("round_trip_ms")),
      loss_percent: Math.round(10 * mean("loss_percent")) / 10,
      bitrate_kbps: Math.round(mean("bitrate_kbps")),
      jitter_ms: Math.max(...of("jitter_ms")),
    };
    const freezes = of("freezes").reduce((sum, value) => sum + value, 0);
    const verdict = quality({ ...figures, freezes }, this.#view.expects);
    return { tab, connection: { ...figures, freezes: this.#freezes, quality: verdict } };
  }

  async #measure() {
    const transport = this.#transport;
    const figures = await transport.measure();
    if (!figures || transport !== this.#transport) return;
    this.#samples.push(figures);
    this.#freezes += figures.freezes;
    this.#view.quality(quality(figures, this.#view.expects));
  }
}
