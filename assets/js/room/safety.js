// The client's own limit, reports and blocks. Each dialog posts to the API and leaves the room open; a block ends the reading,
// which the room then learns like any other end.
import { hub } from "./hub.js";
import { dollars } from "./meter.js";
import { Refused } from "./server.js";

const one = (selector) => document.querySelector(selector);

/** The limit in words. */
function limitWords(meter) {
  if (meter.ceiling_minutes_left === null || meter.ceiling_minutes_left === undefined) return "No limit";
  const asked = meter.max_amount !== null ? dollars(meter.max_amount) : minutes(meter.max_minutes);
  return `Limit ${asked}, ${minutes(meter.ceiling_minutes_left)} left to pay`;
}

const minutes = (count) => `${count} minute${count === 1 ? "" : "s"}`;

hub.on("meter", ({ meter }) => {
  const words = one("[data-limit-words]");
  if (words) words.textContent = limitWords(meter);
});

/** What the form of the limit asks for. */
function wanted(form) {
  const value = form.elements.value.value.trim();
  const kind = form.elements.kind.value;
  if (kind === "none") return {};
  // What the browser lets through is judged by the server.
  return kind === "minutes" ? { max_minutes: Number(value) } : { max_amount: value };
}

const deeds = {
  async limit(form) {
    const meter = await hub.ask(`${hub.facts.api}ceiling/`, { method: "PUT", body: wanted(form) });
    hub.say(limitWords(meter));
    const goesOn = one("[data-return]");
    if (meter.state === "paused" && meter.pause_cause === "ceiling" && goesOn && !goesOn.hidden) goesOn.click();
  },

  async report(form) {
    const { reason, note, block } = form.elements;
    const body = {
      kind: "session",
      object_id: String(hub.facts.id),
      reason: reason.value,
      note: note.value,
      block: block.checked,
    };
    const answer = await hub.ask("/api/reports/", { method: "POST", body });
    hub.note("Thank you. A person looks at it, and you get mail.");
    if (answer.blocked) await hub.ask(hub.facts.api);
  },

  async block() {
    await hub.ask(`${hub.facts.api}block/`, { method: "POST" });
  },
};

function fault(form, text) {
  const line = form.querySelector("[data-safety-fault]");
  line.textContent = text;
  line.hidden = !text;
}

for (const form of document.querySelectorAll("[data-safety]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (form.dataset.busy) return;
    form.dataset.busy = "yes";
    fault(form, "");
    try {
      await deeds[form.dataset.safety](form);
      form.closest("dialog").close();
    } catch (error) {
      fault(form, error instanceof Refused ? error.message : "That did not get through. Please try again.");
    } finally {
      delete form.dataset.busy;
    }
  });
}

// Which field a kind of limit needs, and in which words.
const limit = one('[data-safety="limit"]');
limit?.addEventListener("change", () => {
  const kind = limit.elements.kind.value;
  const field = limit.querySelector("[data-limit-value]");
  field.hidden = kind === "none";
  limit.elements.value.required = kind !== "none";
  field.querySelector("label").textContent = kind === "money" ? "Dollars in all" : "Minutes in all";
});
