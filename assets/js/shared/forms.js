// One click, one request: the second submit of a form is swallowed until the page is shown again.
// A button may say what goes on: data-busy-label. A form that does not leave the page (a download): data-once="off".
// The button is marked aria-disabled, not disabled: it keeps the focus, and its name and value are still sent.
const RESTORE_AFTER_MS = 20000;

function restore(form) {
  delete form.dataset.sent;
  for (const button of form.querySelectorAll("button.is-busy")) {
    button.classList.remove("is-busy");
    button.removeAttribute("aria-disabled");
    const label = button.querySelector("[data-label]");
    if (label && button.dataset.restLabel) label.textContent = button.dataset.restLabel;
  }
}

document.addEventListener(
  "submit",
  (event) => {
    if (event.target.dataset.sent) {
      event.preventDefault();
      event.stopImmediatePropagation();
    }
  },
  true,
);

document.addEventListener("submit", (event) => {
  const form = event.target;
  const stays = form.dataset.once === "off" || form.target === "_blank" || form.method === "dialog";
  if (event.defaultPrevented || stays) return;
  form.dataset.sent = "yes";
  const button = event.submitter ?? form.querySelector("button[type=submit]");
  if (button instanceof HTMLButtonElement) {
    button.classList.add("is-busy");
    button.setAttribute("aria-disabled", "true");
    const label = button.querySelector("[data-label]");
    if (label && button.dataset.busyLabel) {
      button.dataset.restLabel = label.textContent;
      label.textContent = button.dataset.busyLabel;
    }
  }
  setTimeout(() => restore(form), RESTORE_AFTER_MS);
});

window.addEventListener("pageshow", (event) => {
  if (event.persisted) document.querySelectorAll("form[data-sent]").forEach(restore);
});
