// <button data-dialog-open="id"> opens the <dialog id="id"> modally; data-dialog-close within closes it, so does a click
// on the ground behind. data-close within a .notice removes that notice.
function showClosers(root) {
  root.querySelectorAll?.("[data-close][hidden]").forEach((button) => (button.hidden = false));
}

document.addEventListener("click", (event) => {
  const target = event.target;
  const opener = target.closest("[data-dialog-open]");
  if (opener) {
    document.getElementById(opener.dataset.dialogOpen)?.showModal();
    return;
  }
  if (target.closest("[data-dialog-close]") || target.matches("dialog[open]")) {
    target.closest("dialog").close();
    return;
  }
  target.closest("[data-close]")?.closest(".notice")?.remove();
});

showClosers(document);
new MutationObserver((changes) => {
  for (const change of changes) change.addedNodes.forEach(showClosers);
}).observe(document.body, { childList: true, subtree: true });
