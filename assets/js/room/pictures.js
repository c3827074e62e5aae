// A picture on its way: chosen, pasted or dropped; shown with a field for its description; sent with its progress.
import { hub } from "./hub.js";
import { uuid } from "./server.js";

const TYPES = ["image/jpeg", "image/png", "image/webp", "image/gif"];
const TIMEOUT_MS = 120000;

class Tray {
  #facts = hub.facts.texts;
  #tray = document.querySelector("[data-picture-tray]");
  #pick = document.querySelector("[data-picture-pick]");
  #file = document.querySelector("[data-picture-file]");
  #warning;
  #chosen = null;
  #request = null;

  constructor(warning) {
    this.#warning = warning;
    this.#pick.addEventListener("click", () => this.#file.click());
    this.#file.addEventListener("change", () => this.#take(this.#file.files[0]));
    this.#tray.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send(false);
    });
    this.#part("cancel").addEventListener("click", () => this.#close());
    const talk = document.querySelector(".room-talk");
    document.addEventListener("paste", (event) => this.#taken(event, event.clipboardData));
    talk.addEventListener("dragover", (event) => {
      if (!this.#ready || ![...event.dataTransfer.types].includes("Files")) return;
      event.preventDefault();
      talk.dataset.dropping = "";
    });
    for (const name of ["dragleave", "drop"]) talk.addEventListener(name, () => delete talk.dataset.dropping);
    talk.addEventListener("drop", (event) => this.#taken(event, event.dataTransfer));
    hub.on("meter", ({ meter }) => (this.#pick.disabled = meter.state !== "active"));
    hub.on("over", () => this.#close());
  }

  get #ready() {
    return !this.#pick.disabled && !this.#request;
  }

  #part(name) {
    return this.#tray.querySelector(`[data-picture="${name}"]`);
  }

  #taken(event, data) {
    const file = [...(data?.files ?? [])][0];
    if (!file || !this.#ready) return;
    event.preventDefault();
    this.#take(file);
  }

  /** Show what was chosen; what is plainly too much is said before it travels. The server looks at what is in it. */
  #take(file) {
    if (!file) return;
    this.#close();
    this.#tray.hidden = false;
    if (!TYPES.includes(file.type)) return this.#fault("Send a JPEG, PNG, WebP or GIF picture.");
    if (file.size > this.#facts.mostBytes) return this.#fault(`At most ${this.#facts.mostBytes / 1e6} MB.`);
    this.#chosen = { file, key: uuid() };
    const preview = this.#part("preview");
    const reader = new FileReader();
    reader.addEventListener("load", () => {
      preview.src = reader.result;
      preview.hidden = false;
    });
    reader.readAsDataURL(file);
    this.#part("send").disabled = false;
    this.#part("alt").focus();
    return undefined;
  }

  #fault(text) {
    this.#part("fault").textContent = text;
    this.#part("send").disabled = !this.#chosen;
    this.#part("progress").hidden = true;
  }

  #close() {
    this.#request?.abort();
    this.#request = this.#chosen = null;
    this.#file.value = this.#part("alt").value = "";
    this.#part("preview").hidden = true;
    this.#part("preview").removeAttribute("src");
    this.#fault("");
    this.#tray.hidden = true;
  }

  #send(confirm) {
    if (!this.#chosen || this.#request) return;
    const form = new FormData();
    form.append("client_key", this.#chosen.key);
    form.append("alt", this.#part("alt").value);
    form.append("confirm", String(confirm));
    form.append("image", this.#chosen.file);
    // fetch() tells nothing of how far an upload is.
    const request = new XMLHttpRequest();
    this.#request = request;
    this.#fault("");
    this.#part("send").disabled = true;
    this.#part("progress").hidden = false;
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) this.#part("progress").value = event.loaded / event.total;
    });
    request.addEventListener("loadend", () => this.#request === request && this.#done(request));
    request.open("POST", `${hub.facts.api}images/`);
    request.timeout = TIMEOUT_MS;
    request.responseType = "json";
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("X-CSRFToken", document.querySelector('meta[name="csrf-token"]').content);
    request.send(form);
  }

  async #done(request) {
    this.#request = null;
    const answer = request.response;
    if (request.status === 201) {
      this.#close();
      hub.emit("sent", answer);
      hub.say("The picture is sent.");
      return;
    }
    if (answer?.code === "contact_details") {
      this.#fault("");
      if (await this.#warning.ask(answer)) this.#send(true);
      return;
    }
    if (request.status === 413) this.#fault(`At most ${this.#facts.mostBytes / 1e6} MB.`);
    else if (request.status === 409) this.#fault("The reading stands still; try again when it goes on.");
    else if (answer?.detail && request.status < 500) this.#fault(answer.detail);
    else this.#fault("That did not get through. Please try again.");
  }
}

/** Where pictures can be sent, let them be; `warning` is asked about contact details. */
export function pictures(warning) {
  if (hub.facts.texts.images) return new Tray(warning);
  return null;
}
