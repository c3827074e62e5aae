// The check before a reading by voice or video: one's picture, the level of the microphone, a tone, the connection. Nothing
// is opened before one asks for it, all of it is let go at the end, and nobody has to. The choice of devices is kept for
// this browser (media/devices.js) and used by the call.
import { callsWork, download, roundTrip } from "./check_connection.js";
import { hub } from "./hub.js";
import { choose, chosen, list, open, trouble } from "./media/devices.js";

const root = document.querySelector("[data-check]");
const part = (name) => root.querySelector(`[data-check-${name}]`);
const modality = root.dataset.check;
const inputs = modality === "video" ? ["camera", "microphone"] : ["microphone"];
const tracks = new Map();
let stopping = null;
let sound = null;
let meterFrame = 0;

/** The devices that were chosen, for the call; an empty id: the browser's own choice. */
export const chosenDevices = () => ({
  microphoneId: chosen("microphone"),
  cameraId: chosen("camera"),
  speakerId: chosen("speaker"),
});

function say(name, { good, words, text }) {
  const line = root.querySelector(`[data-check-line="${name}"]`);
  line.dataset.state = good === null ? "busy" : good ? "good" : "bad";
  line.querySelector("[data-check-words]").textContent = words;
  line.querySelector("[data-check-text]").textContent = text;
}

async function start() {
  part("start").hidden = true;
  part("body").hidden = false;
  stopping = new AbortController();
  const { signal } = stopping;
  sound = new AudioContext();
  part("done").focus({ preventScroll: true });
  for (const name of [...inputs, "round", "download", "calls"]) say(name, { good: null, words: "Looking…", text: "" });
  connection(signal);
  // One after the other, so that the browser asks one question at a time.
  for (const name of inputs) await input(name, signal);
  await choices();
}

/** Let go of everything that was opened. */
function stop() {
  stopping?.abort();
  stopping = null;
  cancelAnimationFrame(meterFrame);
  for (const name of inputs) close(name);
  sound?.close();
  sound = null;
  part("body").hidden = true;
  part("start").hidden = false;
}

function close(name) {
  tracks.get(name)?.stop();
  tracks.delete(name);
  if (name === "camera" && part("picture")) part("picture").srcObject = null;
}

async function input(name, signal) {
  close(name);
  try {
    const track = await open(name);
    if (signal.aborted) return track.stop();
    tracks.set(name, track);
    track.addEventListener("ended", () => say(name, { good: false, ...lost(name) }));
    say(name, { good: true, words: "Works", text: name === "microphone" ? "Say something: the bar follows your voice." : "" });
    if (name === "camera") part("picture").srcObject = new MediaStream([track]);
    else level(track);
  } catch (fault) {
    if (signal.aborted) return;
    const { title, text } = trouble(name, fault);
    say(name, { good: false, words: title, text });
  }
  part(`retry-${name}`).hidden = tracks.has(name);
}

const lost = (name) => ({ words: `Your ${name} was unplugged`, text: "Plug it in again or choose another one." });

/** The bar follows the voice. */
function level(track) {
  cancelAnimationFrame(meterFrame);
  const analyser = sound.createAnalyser();
  analyser.fftSize = 512;
  sound.createMediaStreamSource(new MediaStream([track])).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const draw = () => {
    analyser.getFloatTimeDomainData(samples);
    const loudest = samples.reduce((most, one) => Math.max(most, Math.abs(one)), 0);
    part("level").value = Math.min(1, Math.sqrt(loudest));
    meterFrame = requestAnimationFrame(draw);
  };
  draw();
}

/** Which devices there are, once their names may be read. */
async function choices() {
  for (const name of [...inputs, "speaker"]) {
    const select = part(`choose-${name}`);
    const devices = await list(name);
    select.replaceChildren(...devices.map(({ id, label }, place) => new Option(label || `Number ${place + 1}`, id)));
    const wanted = chosen(name);
    if (devices.some(({ id }) => id === wanted)) select.value = wanted;
    const of = select.closest("[data-check-choice]");
    of.hidden = devices.length < 2 || (name === "speaker" && !("setSinkId" in AudioContext.prototype));
  }
}

/** Two seconds of a tone, out of the speaker that is chosen. */
async function tone() {
  const words = { good: true, words: "A tone is played", text: "Do you hear it? If not, turn the volume up or choose another speaker." };
  try {
    if (chosen("speaker") && sound.setSinkId) await sound.setSinkId(chosen("speaker"));
    await sound.resume();
    const oscillator = new OscillatorNode(sound, { frequency: 523 });
    const volume = new GainNode(sound, { gain: 0.2 });
    oscillator.connect(volume).connect(sound.destination);
    oscillator.start();
    oscillator.stop(sound.currentTime + 2);
    say("speaker", words);
  } catch (fault) {
    say("speaker", { good: false, ...trouble("speaker", fault), words: trouble("speaker", fault).title });
  }
}

async function connection(signal) {
  const steps = {
    round: () => roundTrip(root.dataset.ping, signal),
    download: () => download(root.dataset.load, modality, signal),
    calls: () => callsWork(signal),
  };
  for (const [name, step] of Object.entries(steps)) {
    try {
      say(name, await step());
    } catch (fault) {
      if (signal.aborted) return;
      throw fault;
    }
  }
}

root.addEventListener("click", (event) => {
  const hit = (name) => event.target.closest(`[data-check-${name}]`);
  if (hit("start")) start();
  else if (hit("done")) {
    stop();
    part("start").focus();
  } else if (hit("tone")) tone();
  else for (const name of inputs) if (hit(`retry-${name}`)) input(name, stopping.signal).then(choices);
});
root.addEventListener("change", (event) => {
  const name = event.target.dataset.checkChoose;
  if (!name) return;
  choose(name, event.target.value);
  if (name !== "speaker") input(name, stopping.signal);
});
navigator.mediaDevices?.addEventListener("devicechange", () => stopping && choices());
window.addEventListener("pagehide", stop);
// In the room: only while one waits. What follows needs the devices itself.
hub.on("meter", ({ meter }) => {
  if (["created", "waiting"].includes(meter.state)) return;
  if (stopping) stop();
  root.hidden = true;
});
part("start").disabled = false;
