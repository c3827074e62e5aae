// The call by Agora: its Web SDK is fetched from our own files when the first call begins. Tracks are ours (local.js), so
// that devices, muting and the camera's light are handled alike whatever carries the call.
const SDK = new URL("../../agora-rtc.js", import.meta.url);

let loading = null;

/** The SDK, loaded once. Rejects where the file does not come. */
function sdk() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = SDK;
    script.addEventListener("load", () => resolve(globalThis.AgoraRTC));
    script.addEventListener("error", () => {
      loading = null;
      reject(new Error("The part for calls could not be loaded."));
    });
    document.head.append(script);
  });
  return loading;
}

const AGAIN_MS = 3000;

export class Transport {
  #on;
  #tokens;
  #client = null;
  #rtc = null;
  #tracks = { audio: null, video: null };
  #published = {};
  #stream = new MediaStream();
  #told = { audio: false, video: false };
  #before = null;
  #again = 0;

  /** As the one of webrtc.js; `tokens()` gives the newest {app_id, channel, uid, token}. */
  constructor({ on, tokens }) {
    this.#on = on;
    this.#tokens = tokens;
  }

  async start(tracks) {
    clearTimeout(this.#again);
    this.#tracks = { ...tracks };
    this.#on.state("connecting");
    let client = null;
    try {
      this.#rtc = await sdk();
      this.#rtc.setLogLevel(3);
      client = this.#rtc.createClient({ mode: "rtc", codec: "vp8" });
      this.#client = client;
      this.#watch(client);
      const { app_id: app, channel, token, uid } = this.#tokens();
      await client.join(app, channel, token, uid);
      for (const kind of Object.keys(this.#tracks)) await this.#publish(client, kind);
    } catch (fault) {
      if (client !== this.#client) return;
      console.info("The call does not stand yet:", fault.message);
      await this.#leave();
      this.#again = setTimeout(() => this.start(this.#tracks), AGAIN_MS);
    }
  }

  async replace(kind, track) {
    this.#tracks[kind] = track;
    if (!this.#client) return;
    const before = this.#published[kind];
    delete this.#published[kind];
    if (before) await this.#client.unpublish(before);
    await this.#publish(this.#client, kind);
  }

  /** A microphone that is only muted stays published: `muted` is told by Agora. */
  status({ audio }) {
    this.#published.audio?.setMuted(!audio);
  }

  /** The tokens were renewed. */
  async renew() {
    if (this.#client?.connectionState === "CONNECTED") await this.#client.renewToken(this.#tokens().token);
  }

  stop() {
    clearTimeout(this.#again);
    this.#tracks = { audio: null, video: null };
    return this.#leave();
  }

  /** Agora finds another way by itself. */
  restart() {}

  level() {
    return this.#client?.remoteUsers[0]?.audioTrack?.getVolumeLevel() ?? 0;
  }

  async measure() {
    if (this.#client?.connectionState !== "CONNECTED") return null;
    const all = [...Object.values(this.#client.getRemoteAudioStats()), ...Object.values(this.#client.getRemoteVideoStats())];
    const sum = (name) => all.reduce((total, one) => total + (one[name] ?? 0), 0);
    const totals = { packets: sum("receivePackets"), lost: sum("receivePacketsLost"), frozen: sum("totalFreezeTime") };
    const before = this.#before;
    this.#before = totals;
    if (!before) return null;
    const lost = Math.max(0, totals.lost - before.lost);
    const came = Math.max(0, totals.packets - before.packets);
    return {
      round_trip_ms: Math.round(this.#client.getRTCStats().RTT),
      jitter_ms: Math.round(Math.max(0, ...all.map((one) => one.receiveDelay ?? 0))),
      loss_percent: came + lost ? Math.round((1000 * lost) / (came + lost)) / 10 : 0,
      bitrate_kbps: Math.round(sum("receiveBitrate") / 1000),
      freezes: totals.frozen > before.frozen ? 1 : 0,
    };
  }

  #watch(client) {
    const mine = (told) => (...details) => client === this.#client && told(...details);
    const states = { CONNECTED: "on", RECONNECTING: "stuck", CONNECTING: "connecting" };
    client.on(
      "connection-state-change",
      mine((state, _before, reason) => {
        if (state === "DISCONNECTED" && reason === "UID_CONFLICT") {
          this.stop();
          this.#on.elsewhere();
        } else if (states[state]) this.#on.state(states[state]);
      }),
    );
    client.on(
      "user-published",
      mine(async (user, kind) => {
        await client.subscribe(user, kind);
        if (client !== this.#client) return;
        this.#forget(kind);
        this.#stream.addTrack(user[`${kind}Track`].getMediaStreamTrack());
        this.#on.stream(this.#stream);
        this.#tell(kind, true);
      }),
    );
    client.on(
      "user-unpublished",
      mine((_user, kind) => {
        this.#forget(kind);
        this.#tell(kind, false);
      }),
    );
    client.on("token-privilege-will-expire", mine(() => this.renew()));
  }

  #tell(kind, sent) {
    this.#told = { ...this.#told, [kind]: sent };
    this.#on.status(this.#told);
  }

  #forget(kind) {
    for (const track of this.#stream.getTracks()) if (track.kind === kind) this.#stream.removeTrack(track);
  }

  async #publish(client, kind) {
    const mediaStreamTrack = this.#tracks[kind];
    if (!mediaStreamTrack) return;
    const make = kind === "audio" ? "createCustomAudioTrack" : "createCustomVideoTrack";
    const track = this.#rtc[make]({ mediaStreamTrack });
    this.#published[kind] = track;
    await client.publish(track);
  }

  async #leave() {
    const client = this.#client;
    this.#client = this.#before = null;
    this.#published = {};
    for (const kind of ["audio", "video"]) this.#forget(kind);
    await client?.leave();
  }
}
