// A message with contact details waits here until its sender has decided: take it back, or send it anyway.
const NAMES = { email: "an email address", phone: "a phone number", handle: "a name elsewhere" };

export class ContactWarning {
  #panel = document.querySelector("[data-contact-warning]");
  #field = document.querySelector("[data-composer] textarea");
  #decided = null;

  constructor() {
    this.#panel.addEventListener("click", (event) => {
      const button = event.target.closest("[data-contact-answer]");
      if (!button || !this.#decided) return;
      const decided = this.#decided;
      this.#decided = null;
      this.#panel.hidden = true;
      this.#field.focus();
      decided(button.dataset.contactAnswer === "send");
    });
  }

  get open() {
    return this.#decided !== null;
  }

  /** Ask; resolves to whether it is to be sent. `problem` is the server's answer. */
  ask(problem) {
    const names = problem.kinds.map((kind) => NAMES[kind]).join(" and ");
    this.#panel.querySelector("[data-contact-kinds]").textContent = `This seems to hold ${names}.`;
    this.#panel.hidden = false;
    this.#panel.querySelector("button").focus();
    return new Promise((resolve) => (this.#decided = resolve));
  }
}
