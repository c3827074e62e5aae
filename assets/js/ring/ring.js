// On every page of a reader who is online, and of a client who waits: asks whether a client rings (or it is the client's
// turn), and rings. It takes no focus. A tab that is looked
// at asks every three seconds, of the hidden ones only one, every ten. Answering in one tab stops it in all.
import { ServerClock, duration, ticker } from "../room/clock.js";
import { Refused, call } from "../room/server.js";
import { Bell } from "./bell.js";
import { Tabs } from "./tabs.js";
import { Turn } from "./turn.js";

const SEEN_EVERY = 3000;
const HIDDEN_EVERY = 10000;
const LONGEST_BACK_OFF = 30000;
const bar = document.querySelector("[data-ring-bar]");
const part = (name) => bar.querySelector(`[data-ring-${name}]`);
const every = (name) => document.querySelectorAll(`[data-ring-${name}]`);
const clock = new ServerClock();
const tabs = new Tabs(hear);
const bell = new Bell(() => sound());
const turn = new Turn((words) => {
  say(`${words}.`);
  if (!bell.muted && !document.hidden) bell.strike();
});
const title = document.title;
let ring = null;
let answered = null; // the session that was answered here or in another tab
let due = 0;
let asking = false;
let failures = 0;
let fresh = true; // the page's first question goes to the database itself
let over = false;
let shout = null;

async function ask() {
  asking = true;
  const asked = performance.now();
  try {
    const answer = await call(`${bar.dataset.ask}${fresh ? "?fresh=1" : ""}`);
    fresh = false;
    failures = 0;
    due = performance.now() + (document.hidden ? HIDDEN_EVERY : SEEN_EVERY);
    clock.set(answer.now, asked, performance.now());
    over = !answer.online && !answer.waits;
    take(answer.ring);
    turn.take(answer);
    tabs.say({ ring: answer.ring, turn: answer.turn, free: answer.free, now: answer.now });
  } catch (fault) {
    failures += 1;
    over = fault instanceof Refused && [401, 403].includes(fault.status);
    const wait = Math.max(Math.min(LONGEST_BACK_OFF, SEEN_EVERY * 2 ** failures), 1000 * (fault.retryAfterSeconds ?? 0));
    due = performance.now() + wait;
    if (over) take(null);
  } finally {
    asking = false;
  }
}

/** News of another tab. */
function hear(news) {
  if (news.answered) {
    answered = news.answered;
    take(null);
  } else if (news.muted !== undefined) {
    showMuted();
    sound();
  } else if (!over) {
    if (news.now) clock.set(news.now, performance.now(), performance.now());
    take(news.ring);
    turn.take(news);
  }
}

function take(fresh) {
  const next = fresh && fresh.session !== answered ? fresh : null;
  if (next?.session === ring?.session) return;
  ring = next;
  bar.hidden = !ring;
  if (ring) show();
  else hush();
  // The dashboard's own panel asks at once, too.
  document.body.dispatchEvent(new Event("ring"));
}

const say = (words) => (document.querySelector("[data-ring-say]").textContent = words);

function show() {
  part("name").textContent = `${ring.name} rings`;
  part("about").textContent = `A ${ring.modality} reading at`;
  part("rate").textContent = `$${ring.rate}`;
  for (const name of ["accept", "decline"]) part(name).disabled = false;
  const about = `a ${ring.modality} reading at ${ring.rate} dollars a minute`;
  say(`${ring.name} rings: ${about}. Alt Shift A accepts, Alt Shift D declines.`);
  tick();
  sound();
  if (document.hidden && globalThis.Notification?.permission === "granted") {
    const body = `A ${ring.modality} reading at $${ring.rate} a minute.`;
    shout = new Notification(`${ring.name} rings`, { body, tag: `ring-${ring.session}`, requireInteraction: true });
    shout.onclick = () => {
      window.focus();
      shout?.close();
    };
  }
}

function sound() {
  if (!ring || bell.muted) return hushSound();
  part("hint").hidden = bell.awake;
  if (bell.awake) tabs.sound(() => bell.start());
}

function hushSound() {
  part("hint").hidden = true;
  bell.stop();
  tabs.silent();
}

function hush() {
  hushSound();
  shout?.close();
  shout = null;
  document.title = title;
  say("");
}

function tick() {
  turn.tick(clock.now());
  if (!ring) return;
  const left = Date.parse(ring.ring_until) - clock.now();
  if (left <= 0) return take(null);
  part("left").textContent = duration(left, { up: true });
  document.title = Math.floor(left / 1000) % 2 ? title : `🔔 ${ring.name} rings`;
}

function answer() {
  answered = ring.session;
  tabs.say({ answered });
  take(null);
}

/** To the room, which comes in by itself. */
function accept() {
  const { session, page } = ring;
  sessionStorage.setItem(`answer-${session}`, "yes");
  answer();
  location.assign(page);
}

async function decline() {
  const { session, name } = ring;
  for (const button of ["accept", "decline"]) part(button).disabled = true;
  try {
    await call(`/api/sessions/${session}/decline/`, { method: "POST" });
  } catch (fault) {
    if (!(fault instanceof Refused)) {
      say("That did not get through. Please try again.");
      for (const button of ["accept", "decline"]) part(button).disabled = false;
      return;
    }
  }
  if (ring?.session === session) answer();
  say(`${name} was told that you cannot take it now.`);
}

function showMuted() {
  for (const button of every("mute")) {
    button.setAttribute("aria-pressed", String(bell.muted));
    button.querySelector("[data-label]").textContent = bell.muted ? "The bell is muted" : "Mute the bell";
  }
}

function mute() {
  bell.muted = !bell.muted;
  showMuted();
  sound();
  tabs.say({ muted: bell.muted });
}

function showNotify() {
  const words = {
    granted: "A ring is also shown by your system while you look at another window.",
    denied: "Notifications are blocked for this site in your browser’s settings.",
    default: "",
  };
  const permission = globalThis.Notification?.permission ?? "denied";
  for (const button of every("notify")) button.hidden = permission !== "default";
  for (const line of every("notify-state")) line.textContent = globalThis.Notification ? words[permission] : "";
}

document.addEventListener("click", async (event) => {
  const hit = (name) => event.target.closest(`[data-ring-${name}]`);
  if (hit("accept") && ring) accept();
  else if (hit("decline") && ring) decline();
  else if (hit("mute")) mute();
  else if (hit("try")) bell.strike();
  else if (hit("notify")) {
    await Notification.requestPermission();
    showNotify();
  }
});
document.addEventListener("keydown", (event) => {
  if (!ring || !event.altKey || !event.shiftKey || event.ctrlKey || event.metaKey) return;
  // By place on the keyboard: with Alt held, the letter itself may be another one.
  const deed = { KeyA: accept, KeyD: decline }[event.code];
  if (!deed || part("accept").disabled) return;
  event.preventDefault();
  deed();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) due = 0;
});
window.addEventListener("online", () => (due = 0));
window.addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  fresh = true;
  due = 0;
});

for (const settings of every("settings")) settings.hidden = false;
showMuted();
showNotify();
function step() {
  tick();
  if (!over && !asking && performance.now() >= due && (!document.hidden || tabs.leads)) ask();
}
ticker(step, new URL("../room/ticker.js", import.meta.url));
step();
