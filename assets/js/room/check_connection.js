// What of the connection can be known before a call: the way to our server and back, how much comes through, and whether
// this browser and network carry WebRTC at all. Each gives {good, words, text}; none is needed to go on.
const ROUNDS = 5;
const DOWNLOAD_MS = 4000;
const CALL_MS = 5000;
const SLOW_ROUND_MS = 400;
// Megabits a second that a call needs, with something to spare.
const NEEDED = { video: 1.5, voice: 0.2 };

const fetched = (address, signal) => fetch(address, { cache: "no-store", credentials: "same-origin", signal });

/** The median of a few round trips to our server. */
export async function roundTrip(address, signal) {
  const times = [];
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      const began = performance.now();
      await (await fetched(address, signal)).text();
      times.push(performance.now() - began);
    }
  } catch (fault) {
    if (signal.aborted) throw fault;
    return { good: false, words: "Not reached", text: "SoulSeer did not answer. Check that you are online, then try again." };
  }
  const median = Math.round(times.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)]);
  if (median <= SLOW_ROUND_MS) return { good: true, words: `${median} ms`, text: "" };
  return {
    good: false,
    words: `${median} ms`,
    text: "The way to us is slow: what you say will arrive late. Move closer to your router, or use a cable.",
  };
}

/** What comes through in a few seconds at most, megabits a second. */
export async function download(address, modality, signal) {
  const stop = AbortSignal.any([signal, AbortSignal.timeout(DOWNLOAD_MS)]);
  const began = performance.now();
  let bytes = 0;
  try {
    const reader = (await fetched(address, stop)).body.getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) bytes += part.value.length;
  } catch (fault) {
    if (signal.aborted) throw fault;
    if (fault.name !== "TimeoutError" && !bytes) {
      return { good: false, words: "Nothing came", text: "Nothing could be loaded. Check that you are online, then try again." };
    }
  }
  const rate = (bytes * 8) / 1e6 / ((performance.now() - began) / 1000);
  const words = rate >= 10 ? "more than 10 Mbit/s" : `${rate.toFixed(1)} Mbit/s`;
  if (rate >= NEEDED[modality]) return { good: true, words, text: "" };
  const text =
    modality === "video"
      ? "That is little for a picture. Close other downloads, or move closer to your router."
      : "That is little even for a voice. Close other downloads, or move closer to your router.";
  return { good: false, words, text };
}

/** Two ends of a call within this page: whether the browser carries one. */
export async function callsWork(signal) {
  const refused = {
    good: false,
    words: "Blocked",
    text: "Your browser or a program that protects it blocks calls. Switch such programs off for this site, or use another browser.",
  };
  if (!globalThis.RTCPeerConnection) return refused;
  const [one, two] = [new RTCPeerConnection(), new RTCPeerConnection()];
  try {
    const channel = one.createDataChannel("check");
    one.onicecandidate = ({ candidate }) => candidate && two.addIceCandidate(candidate);
    two.onicecandidate = ({ candidate }) => candidate && one.addIceCandidate(candidate);
    const open = new Promise((resolve, reject) => {
      channel.onopen = resolve;
      const late = AbortSignal.any([signal, AbortSignal.timeout(CALL_MS)]);
      late.addEventListener("abort", () => reject(late.reason));
    });
    await one.setLocalDescription();
    await two.setRemoteDescription(one.localDescription);
    await two.setLocalDescription();
    await one.setRemoteDescription(two.localDescription);
    await open;
    return { good: true, words: "Ready", text: "" };
  } catch (fault) {
    if (signal.aborted) throw fault;
    console.warn("The call within the page did not come about:", fault);
    return refused;
  } finally {
    one.close();
    two.close();
  }
}
