// A receipt that is still being checked looks again until it is settled: usually within a second or two.
const FIRST_MS = 1500;
const LAST_MS = 30000;

async function look(wait) {
  let html = "";
  try {
    html = await (await fetch(location.href, { credentials: "same-origin", cache: "no-store" })).text();
  } catch (fault) {
    console.warn("The receipt could not be asked for:", fault);
  }
  const page = html && new DOMParser().parseFromString(html, "text/html");
  const written = document.querySelector("form textarea[name=body], [data-note-text]:focus");
  if (page && page.querySelector(".receipt-page") && !page.querySelector("[data-unsettled]") && !written) location.reload();
  else setTimeout(look, wait, Math.min(LAST_MS, wait * 1.5));
}

setTimeout(look, FIRST_MS, FIRST_MS);
