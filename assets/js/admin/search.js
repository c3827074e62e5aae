// The search in the console's head: "/" or Ctrl-K goes to it, what is found stands below as one types, arrows and Enter
// jump. Without this script the form leads to the page of all that was found.
const field = document.querySelector("[data-search]");
const list = document.getElementById("search-found");
const options = () => [...list.querySelectorAll("a[role=option]")];
const PAUSE = 150; // milliseconds without a key before it asks
let chosen = -1;
let timer = 0;
let asking = null;

function close() {
  clearTimeout(timer);
  asking?.abort();
  list.hidden = true;
  chosen = -1;
  field.setAttribute("aria-expanded", "false");
  field.removeAttribute("aria-activedescendant");
}

function choose(place) {
  const found = options();
  found[chosen]?.setAttribute("aria-selected", "false");
  chosen = found.length ? (place + found.length) % found.length : -1;
  const option = found[chosen];
  if (!option) return;
  option.setAttribute("aria-selected", "true");
  option.scrollIntoView({ block: "nearest" });
  field.setAttribute("aria-activedescendant", option.id);
}

async function ask() {
  const text = field.value.trim();
  if (text.length < 2) return close();
  asking?.abort();
  const mine = (asking = new AbortController());
  try {
    const answer = await fetch(`${field.dataset.search}?${new URLSearchParams({ q: text })}`, { signal: mine.signal });
    if (!answer.ok || answer.redirected) return close();
    list.innerHTML = await answer.text();
  } catch (error) {
    // A newer question took its place, or the network is away: Enter still opens the page of results.
    if (error.name !== "AbortError") close();
    return;
  }
  if (mine !== asking || document.activeElement !== field) return;
  chosen = -1;
  field.removeAttribute("aria-activedescendant");
  list.hidden = false;
  field.setAttribute("aria-expanded", "true");
}

field.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(ask, PAUSE);
});

field.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    if (list.hidden) return field.blur();
    event.preventDefault(); // or the browser empties the field
    return close();
  }
  if (list.hidden) return;
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    choose(event.key === "ArrowDown" ? chosen + 1 : chosen < 0 ? -1 : chosen - 1);
  } else if (event.key === "Enter" && chosen >= 0) {
    event.preventDefault();
    options()[chosen].click();
  }
});

document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-search-form]")) close();
});

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
  const wanted =
    (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) ||
    (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey));
  if (wanted) {
    event.preventDefault();
    field.focus();
    field.select();
    return;
  }
  // On the page of results the arrows go from one to the next.
  const hits = [...document.querySelectorAll("[data-search-hit]")];
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!hits.length || !step || (typing && typing !== field) || !list.hidden) return;
  event.preventDefault();
  const place = hits.indexOf(document.activeElement);
  hits[place < 0 && step < 0 ? hits.length - 1 : (place + step + hits.length) % hits.length].focus();
});
