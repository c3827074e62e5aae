// The meter as figures at an instant, and the panel that shows them. Money is shown as the server sent it.
import { duration } from "./clock.js";

export const LIVE = ["created", "waiting", "active", "paused", "reconnecting"];
const MINUTE_MS = 60000;
const instant = (text) => (text ? Date.parse(text) : null);

/** A dollar amount of the API ("1234.50") as people read it. */
export function dollars(amount) {
  const [whole, cents] = amount.replace("-", "").split(".");
  return `${amount.startsWith("-") ? "−" : ""}$${whole.replace(/\B(?=(\d{3})+$)/g, ",")}.${cents}`;
}

/** Minutes that may still be charged: what the money covers or the client's own limit allows, the nearer of the two. Null
 * for the reader, who is not told. */
export function payable(meter) {
  if (meter.affordable_minutes === null) return null;
  return Math.min(meter.affordable_minutes, meter.ceiling_minutes_left ?? Infinity);
}

/** Whether the client's limit ends before the money does. */
export const limited = (meter) => meter.ceiling_minutes_left !== null && meter.ceiling_minutes_left <= meter.affordable_minutes;

/** Milliseconds: elapsed active time; paid time left; money (or limit) left (client: null for the reader); grace and ring left.
 * The reading's own time never runs behind what the server has booked (covered_until). */
export function figures(meter, now) {
  const at = Math.max(now, instant(meter.covered_until) ?? 0);
  const active = meter.state === "active";
  const elapsed = meter.active_seconds * 1000 + (active ? at - instant(meter.active_since) : 0);
  const paid = active ? Math.max(0, instant(meter.paid_until) - at) : meter.kept_seconds * 1000;
  const minutes = payable(meter);
  const money = minutes === null ? null : paid + minutes * MINUTE_MS;
  return {
    elapsed,
    paid,
    money,
    grace: meter.grace_until ? instant(meter.grace_until) - at : null,
    ring: meter.state === "waiting" || meter.state === "created" ? instant(meter.ring_until) - now : null,
  };
}

const put = (element, text) => {
  if (element && element.textContent !== text) element.textContent = text;
};

export class MeterPanel {
  #panel = document.querySelector("[data-meter-panel]");
  #badges = document.querySelector("[data-state-templates]").content;
  #state = "";

  #part(name) {
    return this.#panel.querySelector(`[data-meter="${name}"]`);
  }

  /** What an answer changed. */
  show(meter) {
    if (this.#state !== meter.state) {
      const badge = this.#badges.querySelector(`[data-state-badge="${meter.state}"]`);
      this.#part("state").replaceChildren(...badge.cloneNode(true).childNodes);
      this.#state = meter.state;
    }
    put(this.#part("cost"), dollars(meter.cost));
    put(this.#part("minutes"), String(meter.minutes_billed));
    if (meter.earned !== null) put(this.#part("earned"), dollars(meter.earned));
    if (meter.balance !== null) {
      put(this.#part("balance"), dollars(meter.balance));
      for (const chip of document.querySelectorAll("[data-wallet-balance]")) put(chip, dollars(meter.balance));
    }
  }

  /** What time changes. */
  tick(meter, now) {
    const { elapsed, paid, money } = figures(meter, now);
    put(this.#part("time"), duration(elapsed));
    put(this.#part("paid"), meter.activated_at ? duration(paid, { up: true }) : "–:––");
    put(this.#part("countdown"), money === null ? duration(elapsed) : duration(money, { up: true }));
    if (money !== null) put(this.#part("countdown-label"), limited(meter) ? "Your limit lasts" : "Your money lasts");
    let level = "";
    if (meter.activated_at && money !== null) {
      if (money <= 0) level = "over";
      else if (money <= MINUTE_MS) level = "last";
      else if (money <= 5 * MINUTE_MS) level = "low";
    }
    this.#panel.dataset.level = level;
  }
}
