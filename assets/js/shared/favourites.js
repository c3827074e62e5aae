// The heart of a reader: turned in place; without this script its form does the same by a page of its own.
document.addEventListener("click", async (event) => {
  const heart = event.target.closest("[data-favourite]");
  if (!heart) return;
  event.preventDefault();
  if (heart.disabled) return;
  heart.disabled = true;
  const on = heart.value;
  try {
    const answer = await fetch(heart.formAction, {
      method: "POST",
      headers: {
        Accept: "application/json",
        "X-CSRFToken": document.querySelector('meta[name="csrf-token"]')?.content ?? "",
      },
      body: new URLSearchParams({ on }),
    });
    if (!answer.ok) throw new Error(String(answer.status));
    heart.setAttribute("aria-pressed", on === "1" ? "true" : "false");
    heart.value = on === "1" ? "0" : "1";
  } catch {
    // Signed out, or no connection: the form itself says which.
    heart.disabled = false;
    heart.form?.requestSubmit(heart);
    return;
  }
  heart.disabled = false;
  heart.focus();
});
