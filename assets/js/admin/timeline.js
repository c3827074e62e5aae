// The slider under a reading's picture: shows how it stood at the chosen second without asking the server. Without this
// script the form beside it asks for the same.
const section = document.querySelector("[data-timeline]");
const slider = section?.querySelector("input[type=range]");

// A row: [milliseconds from the start, what stood from then on].
const rows = section ? JSON.parse(section.dataset.rows) : [];

function standing(second) {
  let found = rows[0];
  for (const row of rows) {
    if (row[0] > second * 1000) break;
    found = row;
  }
  return found[1];
}

function show() {
  const second = Number(slider.value);
  const { since, seconds, left, plot } = section.dataset;
  const clock = new Date((Number(since) + second) * 1000).toISOString().slice(11, 19);
  const words = { ...standing(second), clock };
  for (const place of section.querySelectorAll("[data-standing]")) place.textContent = words[place.dataset.standing];
  const x = Number(left) + (Number(plot) * second) / Number(seconds);
  const cursor = section.querySelector("[data-cursor]");
  cursor.setAttribute("x1", x);
  cursor.setAttribute("x2", x);
  slider.setAttribute("aria-valuetext", `${clock}, ${words.state}`);
}

if (slider) {
  section.querySelector("[data-show]").hidden = true;
  slider.addEventListener("input", show);
  // An address with the second, to be given to somebody else.
  slider.addEventListener("change", () => history.replaceState(null, "", `?at=${slider.value}`));
  slider.form.addEventListener("submit", (event) => event.preventDefault());
  show();
}
