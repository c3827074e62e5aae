// Microphone, camera and speaker: which ones there are, which one was chosen, and what to say when one is refused.
// The choice is kept for this browser: the check before the reading and the call use the same.
const KEY = "soulseer-devices";
export const KINDS = { microphone: "audioinput", camera: "videoinput", speaker: "audiooutput" };

function kept() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch (fault) {
    // What is not ours to read is as good as no choice.
    console.warn("The choice of devices cannot be read:", fault);
    return {};
  }
}

/** The id of the device chosen as `name` (microphone, camera, speaker); empty: the browser's own choice. */
export const chosen = (name) => String(kept()[name] ?? "");

export function choose(name, id) {
  localStorage.setItem(KEY, JSON.stringify({ ...kept(), [name]: id }));
}

/** [{id, label}] of the devices of `name`; labels are empty until one was allowed. */
export async function list(name) {
  const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return all
    .filter((device) => device.kind === KINDS[name] && device.deviceId)
    .map((device) => ({ id: device.deviceId, label: device.label }));
}

/** Open the microphone or the camera; its track. Throws DOMException, see `trouble`. */
export async function open(name, id = chosen(name)) {
  if (!navigator.mediaDevices) throw new DOMException("This page is not secure.", "SecurityError");
  const device = id ? { deviceId: { ideal: id } } : {};
  const wanted =
    name === "microphone"
      ? { audio: { ...device, echoCancellation: true, noiseSuppression: true, autoGainControl: true } }
      : {
          video: {
            ...(id ? device : { facingMode: "user" }),
            width: { ideal: 1280 },
            height: { ideal: 720 },
            frameRate: { ideal: 24, max: 30 },
          },
        };
  return (await navigator.mediaDevices.getUserMedia(wanted)).getTracks()[0];
}

/** What a refusal means for the person, and what to do about it: {title, text}. */
export function trouble(name, fault) {
  const blocked = "Open the site’s settings beside the address at the top of the browser, allow the";
  const words = {
    NotAllowedError: [`Your ${name} is blocked`, `${blocked} ${name}, then try again.`],
    NotFoundError: [`No ${name} was found`, `Plug one in or switch it on, then try again.`],
    NotReadableError: [`Your ${name} is busy`, `Another program is using it. Close that program, then try again.`],
    SecurityError: ["This browser allows no calls here", "Calls need a secure address (https)."],
  };
  const [title, text] = words[fault.name] ?? [`Your ${name} does not start`, "Try again, or choose another one."];
  return { title, text };
}
