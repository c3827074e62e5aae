// Shows every <time datetime="…Z" data-local> in the browser's own time zone and language; the UTC words that the
// server wrote become its title. data-local may be "datetime" (or empty), "date", "time" or "seconds". Also for what arrives later.
const STYLES = {
  datetime: { dateStyle: "medium", timeStyle: "short" },
  date: { dateStyle: "medium" },
  time: { timeStyle: "short" },
  seconds: { timeStyle: "medium" },
};

function localise(root) {
  if (!(root instanceof Element)) return;
  const found = [...root.querySelectorAll("time[data-local]")];
  if (root.matches("time[data-local]")) found.push(root);
  for (const element of found) {
    if (element.dataset.localised) continue;
    const instant = new Date(element.dateTime);
    if (Number.isNaN(instant.getTime())) continue;
    const style = STYLES[element.dataset.local] ?? STYLES.datetime;
    element.dataset.localised = "yes";
    element.title = element.textContent.trim();
    element.textContent = new Intl.DateTimeFormat(undefined, style).format(instant);
  }
}

localise(document.documentElement);
new MutationObserver((changes) => {
  for (const change of changes) change.addedNodes.forEach(localise);
}).observe(document.body, { childList: true, subtree: true });
