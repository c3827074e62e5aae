// When to warn that the money ends: at 5, 2 and 1 minutes, each once; after a top-up those below the new mark again.
const STEPS = [300, 120, 60];
const TOP_UP_SECONDS = 45;

export class Warnings {
  #store;
  #key;
  #before = Infinity;

  constructor(store, key) {
    this.#store = store;
    this.#key = key;
  }

  get #lowest() {
    return Number(this.#store.getItem(this.#key)) || Infinity;
  }

  set #lowest(step) {
    if (step === Infinity) this.#store.removeItem(this.#key);
    else this.#store.setItem(this.#key, String(step));
  }

  /** The step (seconds) to warn of now, else null. `left`: seconds of paid time and of money in the wallet. */
  next(left) {
    // Time only shrinks what is left; a minute that is charged moves it from the wallet to the paid time.
    if (left > this.#before + TOP_UP_SECONDS) this.#lowest = Math.min(...STEPS.filter((step) => step >= left));
    this.#before = left;
    const step = Math.min(...STEPS.filter((one) => one >= left));
    if (step >= this.#lowest || step === Infinity) return null;
    this.#lowest = step;
    return step;
  }
}

/** The words of a warning; `limit`: it is the client's own limit that ends first. */
export function words(step, limit = false) {
  const what = limit ? "Your limit" : "Your money";
  if (step > 60) return `${what} lasts for about ${step / 60} more minutes.`;
  return `${what} lasts for less than a minute.`;
}
