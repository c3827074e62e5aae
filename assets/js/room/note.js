// The private note: saved a moment after the last key, at leaving the field, and at leaving the page.
import { Refused, call } from "./server.js";

const QUIET_MS = 800;
const RETRY_MS = 5000;

for (const panel of document.querySelectorAll("[data-note]")) {
  const field = panel.querySelector("[data-note-text]");
  const mark = panel.querySelector("[data-note-mark]");
  let saved = field.value;
  let timer = 0;

  async function save({ leaving = false } = {}) {
    clearTimeout(timer);
    const note = field.value;
    if (note === saved) return;
    try {
      await call(panel.dataset.action, { method: "PUT", body: { note }, keepalive: leaving });
      saved = note;
      mark.textContent = field.value === saved ? "Saved" : "";
    } catch (error) {
      const hopeless = error instanceof Refused && error.status !== 429;
      mark.textContent = hopeless ? `Not saved: ${error.message}` : "Not saved yet";
      if (!hopeless) timer = setTimeout(save, RETRY_MS);
    }
  }

  field.addEventListener("input", () => {
    mark.textContent = "";
    clearTimeout(timer);
    timer = setTimeout(save, QUIET_MS);
  });
  field.addEventListener("blur", () => save());
  window.addEventListener("pagehide", () => save({ leaving: true }));
  // Wide windows have the room to show it at once.
  if (panel instanceof HTMLDetailsElement && matchMedia("(min-width: 60rem)").matches) panel.open = true;
}
