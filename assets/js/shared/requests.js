// HTMX: every changing request carries the CSRF token; one that fails says so in the page's notices.
const token = () => document.querySelector('meta[name="csrf-token"]')?.content ?? "";

document.addEventListener("htmx:configRequest", (event) => {
  if (event.detail.verb !== "get") event.detail.headers["X-CSRFToken"] = token();
});

function say(words) {
  const notices = document.getElementById("notices");
  if (!notices) return;
  notices.querySelectorAll("[data-request-failed]").forEach((old) => old.remove());
  const notice = document.createElement("div");
  notice.className = "notice notice-danger notice-plain";
  notice.dataset.requestFailed = "";
  const text = document.createElement("p");
  text.textContent = words;
  notice.append(text);
  notices.append(notice);
}

document.addEventListener("htmx:sendError", () => say("We could not be reached. Check your connection and try again."));
document.addEventListener("htmx:timeout", () => say("That took too long. Please try again."));
document.addEventListener("htmx:responseError", (event) => {
  const status = event.detail.xhr.status;
  if (status === 401) say("You have been signed out. Reload the page and sign in.");
  else if (status === 429) say("Too many requests. Wait a moment, then try again.");
  else say("That did not go through. Nothing was changed; please try again.");
});
