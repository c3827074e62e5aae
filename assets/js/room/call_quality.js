// How good the connection is: measured every two seconds, shown in words and bars, told with every heartbeat.
import { quality } from "./media/figures.js";

const EVERY_MS = 2000;
const LEVEL_EVERY_MS = 150;

export class Quality {
  #view;
  #timer = 0;
  #levels = 0;
  #transport = null;
  #samples = [];

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

  /** {connection} of the time since the last heartbeat; undefined where no call stands. */
  beat() {
    const samples = this.#samples.splice(0);
    if (!samples.length) return undefined;
    const of = (name) => samples.map((one) => one[name]);
    const mean = (name) => of(name).reduce((sum, value) => sum + value, 0) / samples.length;
    const figures = {
      round_trip_ms: Math.round(mean("round_trip_ms")),
      loss_percent: Math.round(10 * mean("loss_percent")) / 10,
      bitrate_kbps: Math.round(mean("bitrate_kbps")),
      freezes: of("freezes").reduce((sum, value) => sum + value, 0),
      jitter_ms: Math.max(...of("jitter_ms")),
    };
    return { connection: { ...figures, quality: quality(figures, this.#view.expects) } };
  }

  async #measure() {
    const transport = this.#transport;
    const figures = await transport.measure();
    if (!figures || transport !== this.#transport) return;
    this.#samples.push(figures);
    this.#view.quality(quality(figures, this.#view.expects));
  }
}
