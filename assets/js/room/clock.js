// The server's clock, in milliseconds since 1970. The browser's own clock may be hours wrong and may be set while the
// page is open: only the time that has passed since an answer is taken from it, and that from the steady counter.
export class ServerClock {
  #base = 0;
  #asOf = 0;

  /** `now`: the instant in an answer; `asked` and `heard`: performance.now() before and after the call. */
  set(now, asked, heard) {
    this.#base = Date.parse(now) + (heard - asked) / 2;
    this.#asOf = heard;
  }

  now() {
    return this.#base + (performance.now() - this.#asOf);
  }
}

/** "4:07", "1:02:07"; never below zero. */
export function duration(milliseconds, { up = false } = {}) {
  const exact = Math.max(0, milliseconds) / 1000;
  const seconds = up ? Math.ceil(exact) : Math.floor(exact);
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (number) => String(number).padStart(2, "0");
  return parts[0] ? `${parts[0]}:${two(parts[1])}:${two(parts[2])}` : `${parts[1]}:${two(parts[2])}`;
}

/** Calls `beat` about twice a second, in a worker where there is one: browsers slow a hidden page's own timers down
 * to one a minute, and then a heartbeat would come too late. */
export function ticker(beat, workerAddress) {
  let ownTimer = setInterval(beat, 500);
  try {
    const worker = new Worker(workerAddress);
    worker.addEventListener("message", () => {
      clearInterval(ownTimer);
      ownTimer = 0;
      beat();
    });
  } catch (fault) {
    console.warn("The room runs on the page's own timer:", fault);
  }
}
