// The buttons of the call, their keys (Alt and a letter, not while one writes), and the choice of devices.
import { hub } from "./hub.js";
import { choose, chosen, list, trouble } from "./media/devices.js";

const KINDS = { microphone: "audio", camera: "video" };
const UNNAMED = { microphone: "Microphone", camera: "Camera", speaker: "Speaker" };

export function watchControls(call) {
  const { root, video } = call.view;
  const button = (name) => root.querySelector(`[data-call-button="${name}"]`);
  const dialog = document.querySelector("#call-devices");
  const withVideo = call.kinds.includes("video");

  const press = (name, yes) => button(name)?.setAttribute("aria-pressed", String(yes));

  const deeds = {
    mute() {
      call.local.mute(!call.local.muted);
      press("mute", call.local.muted);
      call.tell();
      hub.say(call.local.muted ? "You are muted." : "You can be heard.");
    },
    async camera() {
      if (!withVideo) return;
      const on = !call.local.tracks.video;
      await tryTo("camera", () => call.local.camera(on));
      await call.send("video");
      hub.say(call.local.tracks.video ? "Your camera is on." : "Your camera is off.");
    },
    async devices() {
      await fill();
      dialog.showModal();
    },
    async full() {
      if (document.fullscreenElement) return document.exitFullscreen();
      if (root.requestFullscreen) return root.requestFullscreen();
      // The iPhone knows full screen for a video only.
      return video.webkitEnterFullscreen?.();
    },
    async picture() {
      if (document.pictureInPictureElement) return document.exitPictureInPicture();
      return video.requestPictureInPicture();
    },
  };

  async function tryTo(name, deed) {
    try {
      await deed();
    } catch (fault) {
      const { title, text } = trouble(name, fault);
      hub.note(`${title}. ${text}`);
    }
  }

  async function act(name) {
    const control = button(name);
    if (!control || control.hidden || !call.running) return;
    try {
      await deeds[name]();
    } catch (fault) {
      console.info(`${name} is not possible now:`, fault.message);
      hub.note("The browser does not allow that now.");
    }
  }

  async function fill() {
    for (const name of Object.keys(UNNAMED)) {
      const select = dialog.querySelector(`[data-device="${name}"]`);
      if (!select) continue;
      const devices = await list(name);
      select.replaceChildren(
        new Option("The browser’s choice", ""),
        ...devices.map(({ id, label }, place) => new Option(label || `${UNNAMED[name]} ${place + 1}`, id)),
      );
      select.value = devices.some(({ id }) => id === chosen(name)) ? chosen(name) : "";
      const choosable = name !== "speaker" || "setSinkId" in video;
      select.closest("[data-device-field]").hidden = !choosable;
    }
  }

  async function change(name, id) {
    if (name === "speaker") {
      await tryTo(name, async () => {
        await video.setSinkId(id);
        choose(name, id);
      });
      return;
    }
    const kind = KINDS[name];
    if (kind === "video" && call.local.cameraOff) return choose(name, id);
    await tryTo(name, () => call.local.change(kind, id));
    call.view.troubles(call.local.faults, call.kinds);
    await call.send(kind);
  }

  root.addEventListener("click", async (event) => {
    const control = event.target.closest("[data-call-button]");
    if (control) await act(control.dataset.callButton);
    else if (event.target.closest("[data-call-here]")) call.start();
    else if (event.target.closest("[data-call-retry]")) await retry();
  });
  dialog.addEventListener("change", (event) => change(event.target.dataset.device, event.target.value));

  async function retry() {
    await call.local.start(call.kinds);
    for (const kind of call.kinds) await call.send(kind);
    call.view.troubles(call.local.faults, call.kinds);
  }

  document.addEventListener("keydown", (event) => {
    if (!event.altKey || event.ctrlKey || event.metaKey || event.repeat) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    const control = [...root.querySelectorAll("[data-key]")].find((one) => one.dataset.key === event.code);
    if (!control) return;
    event.preventDefault();
    act(control.dataset.callButton);
  });
  document.addEventListener("fullscreenchange", () => press("full", document.fullscreenElement === root));
  for (const [name, pressed] of [["enterpictureinpicture", true], ["leavepictureinpicture", false]]) {
    video.addEventListener(name, () => press("picture", pressed));
  }
  if (withVideo) {
    button("picture").hidden = !document.pictureInPictureEnabled;
    button("full").hidden = !(root.requestFullscreen || video.webkitEnterFullscreen);
  }
  if (chosen("speaker") && "setSinkId" in video) tryTo("speaker", () => video.setSinkId(chosen("speaker")));
}
