// What the room's parts share: news of the reading, and the few things that they may ask for. room.js fills it.
const listeners = new Map();

export const hub = {
  /** Call `told(detail)` for each event `name`: meter {meter, before}, tick {meter, now}, answer (of the messages), over,
   * tokens (a new one is there). */
  on(name, told) {
    listeners.set(name, [...(listeners.get(name) ?? []), told]);
  },

  emit(name, detail = {}) {
    for (const told of listeners.get(name) ?? []) told(detail);
  },

  /** The room's facts, as the page brought them. */
  facts: null,

  /** `ask(path, options)`: the server, with the room's care for what fails. Throws Refused, Unreachable. */
  ask: null,

  /** The server's clock, milliseconds since 1970; and the tokens for voice and video (tokens.js). */
  now: null,
  tokens: null,

  /** What a heartbeat carries, or undefined for nothing. */
  beatBody: () => undefined,

  /** `say(text)` for ears, `note(text)` for eyes as well. */
  say: null,
  note: null,
};
