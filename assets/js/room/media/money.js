// One clock for media and money: how long a call may go on by what the server last said.
import { payable } from "../meter.js";

const MINUTE_MS = 60000;
// Until the server's answer to whether the next minute is paid must be there.
const ANSWER_MS = 1500;
const ASK_AFTER_MS = 150;

const paidUntil = (meter) => Date.parse(meter.paid_until);

/** Milliseconds until the paid time and all that the wallet covers (and the client's limit allows) are over; the reader does not know the wallet. */
export function endsIn(meter, now) {
  const minutes = payable(meter);
  const covered = minutes === null ? ANSWER_MS : minutes * MINUTE_MS;
  const end = paidUntil(meter) + covered;
  // At the edge of each paid minute it is asked whether there is more.
  const edge = paidUntil(meter) + ASK_AFTER_MS;
  return Math.min(...[end, edge].filter((instant) => instant > now).map((instant) => instant - now), MINUTE_MS);
}

/** {allowed, look}: whether media may flow at `now`, and whether the server should be asked for a newer meter. */
export function mayGoOn(meter, now, facts) {
  const active = meter.state === "active" && facts.media !== null;
  if (!active) return { allowed: false, look: false };
  const said = Date.parse(meter.now);
  const past = now - paidUntil(meter);
  const look = past > 0 && said < paidUntil(meter) + ASK_AFTER_MS;
  // Without an answer for so long this side counts as gone, and nothing is paid from there on.
  const heard = now - said < facts.heartbeatSeconds * 3000;
  const minutes = payable(meter);
  if (minutes !== null) return { allowed: heard && past < minutes * MINUTE_MS, look };
  return { allowed: heard && (past < ANSWER_MS || said >= paidUntil(meter)), look };
}
