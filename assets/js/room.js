// The room of a live reading. One loop asks for messages and meter together, one says that we are here; both go on in a
// hidden tab. What the server answers is the truth: this page only shows it, and counts on its clock in between.
import { ServerClock, duration, ticker } from "./room/clock.js";
import { hub } from "./room/hub.js";
import "./room/call.js";
import { LIVE, MeterPanel, dollars, figures, limited } from "./room/meter.js";
import "./room/help.js";
import "./room/note.js";
import "./room/safety.js";
import { nudge } from "./room/nudge.js";
import { pictures } from "./room/pictures.js";
import { Refused, Unreachable, call, uuid } from "./room/server.js";
import { Stage } from "./room/stage.js";
import { Talk } from "./room/talk.js";
import { Tokens } from "./room/tokens.js";
import { Warnings, words } from "./room/warnings.js";

const root = document.querySelector("[data-room]");
const facts = JSON.parse(root.dataset.facts);
const isClient = facts.role === "client";
const SEEN_EVERY = 1000;
const HIDDEN_EVERY = 5000;
const AWAY_EVERY = 5000;
const JOIN_EVERY = 2000;
const LONGEST_BACK_OFF = 10000;
const HISTORY_PAGE = 100;
// As long as three heartbeats without an answer is a drop.
const SILENCE = facts.heartbeatSeconds * 3000;

const clock = new ServerClock();
const panel = new MeterPanel();
const tokens = new Tokens(facts, clock);
const stage = new Stage(facts);
const warnings = new Warnings(sessionStorage, `room-${facts.id}-warned`);
const talk = new Talk(facts, { failed: lost, refused });

let meter = null;
let over = false;
// "answer-…": accepted on another page (ring/ring.js).
let answered = isClient || facts.joined || sessionStorage.getItem(`answer-${facts.id}`) === "yes";
let historyIsIn = false;
let failures = 0;
let unread = 0;
// This page was cut off while the reading was on: it comes back by itself.
let cutOff = false;
const title = document.title;
// performance.now() of what is due next; and what is under way.
const due = { poll: 0, beat: 0, join: 0 };
const busy = { poll: false, beat: false, move: false };

const steppedOut = () => meter.state === "paused" && meter.pause_cause === `${facts.role}_left`;

/** Ask the server; its clock is set by every meter that it sends. Throws Refused, Unreachable. */
async function ask(path, options) {
  const asked = performance.now();
  const answer = await call(path, options);
  const fresh = answer.meter ?? answer;
  found();
  if (meter && fresh.now && Date.parse(fresh.now) - Date.parse(meter.now) > SILENCE) cutOff = true;
  if (fresh.now && (!meter || Date.parse(fresh.now) >= Date.parse(meter.now))) {
    clock.set(fresh.now, asked, performance.now());
    accept(fresh);
  }
  return answer;
}

/** Take in a newer meter. */
function accept(fresh) {
  // Read just before the first minute was charged, answered after it.
  if (meter?.activated_at && !fresh.activated_at && LIVE.includes(fresh.state)) return;
  const before = meter;
  meter = fresh;
  if (!LIVE.includes(meter.state)) return leaveForReceipt();
  if (!before) stage.ready();
  panel.show(meter);
  stage.show(meter, { answered, steppedOut: steppedOut() });
  hub.emit("meter", { meter, before });
  if (before && before.state !== meter.state) tell(before);
  if (before?.balance && Number(meter.balance) > Number(before.balance)) moneyCame();
  tick();
  if (meter.state === "active") talk.send();
}

/** Say what a change of state means, to ears as well. */
function tell(before) {
  if (meter.state === "active") {
    const first = before.state === "waiting";
    facts.returned = false;
    talk.remark(first ? "You are both here. The first minute is paid." : "The reading goes on.", meter.now);
    stage.say(first ? "The reading has begun." : "The reading goes on.");
    // In a call one speaks first; on a phone the keyboard would hide half of it.
    if (document.activeElement === document.body && !facts.media) stage.focusComposer();
  } else if (meter.state === "paused") {
    const pause = facts.pauses[meter.pause_cause];
    facts.goesOn = false;
    talk.remark(`${pause.title}.`, meter.now);
    stage.say(`${pause.title}. ${pause.text}`);
  } else if (meter.state === "reconnecting") {
    stage.say("Coming back…");
  }
}

function moneyCame() {
  stage.say(`Your balance is now ${dollars(meter.balance)}.`);
  stage.moneyCame(meter);
}

/** What time alone changes. */
function tick() {
  if (!meter || over) return;
  const now = clock.now();
  const at = figures(meter, now);
  panel.tick(meter, now);
  stage.tick(at, duration);
  hub.emit("tick", { meter, now });
  if (isClient && meter.state === "active") {
    const step = warnings.next(at.money / 1000);
    if (step !== null) stage.warn(words(step, limited(meter)), step);
  }
}

/** Messages after the last one, with the meter. */
async function poll() {
  busy.poll = true;
  try {
    const answer = await ask(`${facts.api}messages/?after=${talk.last}&limit=${HISTORY_PAGE}${talk.query()}`);
    const news = talk.receive(answer.items);
    hub.emit("answer", answer);
    const more = answer.items.length === HISTORY_PAGE;
    if (!more && !historyIsIn) {
      historyIsIn = true;
      talk.historyIsIn();
      talk.toBottom();
    } else if (news && historyIsIn) {
      heard(news);
    }
    due.poll = performance.now() + (more ? 0 : document.hidden ? HIDDEN_EVERY : SEEN_EVERY);
  } catch (error) {
    wentWrong(error);
  } finally {
    busy.poll = false;
  }
}

/** The meter alone, asked by one who stepped out: no sign of life. */
async function peek() {
  busy.poll = true;
  try {
    await ask(facts.state);
    due.poll = performance.now() + AWAY_EVERY;
  } catch (error) {
    wentWrong(error);
  } finally {
    busy.poll = false;
  }
}

async function beat() {
  busy.beat = true;
  due.beat = performance.now() + facts.heartbeatSeconds * 1000;
  try {
    await ask(`${facts.api}heartbeat/`, { method: "POST", body: hub.beatBody() });
  } catch (error) {
    // Figures that do not fit are our own fault; the reading does not end for them.
    if (error instanceof Refused && error.status === 422) console.error("The heartbeat's figures were refused:", error.message);
    else wentWrong(error);
  } finally {
    busy.beat = false;
  }
}

/** Come in whenever the state asks for it: joining twice does nothing, and the second one in starts the clock. */
async function join() {
  due.join = performance.now() + JOIN_EVERY;
  try {
    await ask(`${facts.api}join/`, { method: "POST" });
  } catch (error) {
    if (error instanceof Refused && error.status === 402) noMoney(error);
    else if (!(error instanceof Refused && error.status === 409)) wentWrong(error);
  }
}

function joinIsDue() {
  if (meter.state === "waiting") return answered && (!facts.joined || meter.other_seen);
  // After a crisis each says so by hand.
  if (meter.pause_cause === "crisis") return false;
  return meter.state === "reconnecting" && (meter.other_seen || !facts.returned);
}

function step() {
  if (over || !meter) return;
  tick();
  const now = performance.now();
  if (steppedOut()) {
    if (!busy.poll && !busy.move && now >= due.poll) peek();
    return;
  }
  tokens.tend(meter);
  comeBack();
  if (!busy.poll && now >= due.poll) poll();
  if (!busy.beat && failures === 0 && now >= due.beat) beat();
  if (!busy.move && failures === 0 && now >= due.join && joinIsDue()) {
    const state = meter.state;
    join().then(() => {
      if (state === "waiting") facts.joined = true;
      else facts.returned = true;
    });
  }
}

/** What the own connection broke off goes on without a click once it is back. */
function comeBack() {
  if (meter.state === "active" && failures === 0) cutOff = false;
  const mine = [`${facts.role}_dropped`, "platform", "billing_stopped"].includes(meter.pause_cause);
  if (!cutOff || meter.state !== "paused" || !mine || failures || busy.move || document.hidden) return;
  cutOff = false;
  facts.returned = false;
  move("reconnect", "join");
}

/** leave, end, or coming back; the buttons rest meanwhile. */
async function move(...names) {
  if (busy.move) return;
  busy.move = true;
  stage.moving(true);
  try {
    for (const name of names) await ask(`${facts.api}${name}/`, { method: "POST" });
  } catch (error) {
    if (error instanceof Refused && error.status === 402) noMoney(error);
    else if (error instanceof Refused && error.status === 409) {
      // The other one, or the clock, was quicker: say so only if nothing has come of it.
      const state = meter.state;
      await (steppedOut() ? peek() : poll());
      if (!over && meter.state === state) stage.note(error.message);
    } else wentWrong(error, { byHand: true });
  } finally {
    busy.move = false;
    stage.moving(false);
    if (meter && !over) stage.show(meter, { answered, steppedOut: steppedOut() });
  }
}

function noMoney(error) {
  if (isClient) stage.askForMoney(error.problem.missing);
  else stage.note(`${facts.other}’s wallet does not cover the next minute. ${facts.other} can top up and try again.`);
}

function wentWrong(error, { byHand = false } = {}) {
  if (error instanceof Unreachable) {
    if (byHand) stage.note("That did not get through. Please try again.");
    lost();
  } else if (error instanceof Refused) refused(error);
  else throw error;
}

/** The server said no for good. */
function refused(error) {
  if (error.status === 429) {
    due.poll = due.beat = performance.now() + 1000 * Math.max(1, error.retryAfterSeconds);
    return;
  }
  if (error.status === 410 || error.status === 409) return leaveForReceipt();
  over = true;
  hub.emit("over");
  const lines = {
    401: "You have been signed out. Sign in again to come back to the reading.",
    403: "You can no longer see this reading.",
    404: "This reading is not here.",
  };
  stage.stop(lines[error.status] ?? error.message, error.status === 401 ? facts.signIn : null);
}

/** No answer: say so and ask again, ever more slowly. */
function lost() {
  failures += 1;
  cutOff ||= meter?.state === "active";
  const wait = Math.min(LONGEST_BACK_OFF, 500 * 2 ** failures);
  due.poll = performance.now() + wait;
  stage.connection(false, talk.unsent);
}

function found() {
  if (failures === 0) return;
  failures = 0;
  due.poll = due.beat = 0;
  stage.connection(true, talk.unsent);
}

function leaveForReceipt() {
  if (over) return;
  over = true;
  hub.emit("over");
  talk.forgetAll();
  stage.stop("The reading is over. Here comes the receipt.", null);
  stage.say("The reading is over.");
  // The note saves itself as the page is left.
  setTimeout(() => location.replace(facts.page), 600);
}

function heard(news) {
  if (!document.hidden) return;
  unread += news;
  document.title = `(${unread}) ${title}`;
}

root.addEventListener("click", (event) => {
  if (event.target.closest("[data-answer]")) {
    answered = true;
    stage.show(meter, { answered, steppedOut: false });
    join().then(() => (facts.joined = true));
  } else if (event.target.closest("[data-return]")) {
    facts.returned = false;
    facts.goesOn = true;
    move("reconnect", "join");
  }
});
document.addEventListener("click", (event) => {
  const mover = event.target.closest("[data-move]");
  if (mover) move(mover.dataset.move);
});
stage.onMessage((body) => {
  talk.say(body);
  if (meter.state === "active") talk.send();
});
for (const form of document.querySelectorAll("[data-top-up]")) {
  form.addEventListener("submit", () => {
    if (form.target !== "_blank") return;
    stage.waitForMoney();
    // The next top-up from this page is another one.
    setTimeout(() => form.querySelectorAll("[data-request-key]").forEach((field) => (field.value = uuid())));
  });
}
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  unread = 0;
  document.title = title;
  due.poll = 0;
});
window.addEventListener("online", () => (due.poll = 0));
// A page out of the browser's memory shows how things stood then.
window.addEventListener("pageshow", (event) => event.persisted && location.reload());

Object.assign(hub, { facts, ask, tokens, now: () => clock.now(), say: (text) => stage.say(text), note: (text) => stage.note(text) });
pictures(talk.warning);
nudge(() => {
  due.poll = 0;
  if (!busy.poll && !over && !steppedOut()) poll();
});
const first = JSON.parse(root.dataset.meter);
clock.set(first.now, performance.now(), performance.now());
accept(first);
ticker(step, new URL("./room/ticker.js", import.meta.url));
