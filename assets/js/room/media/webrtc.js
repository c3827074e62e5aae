// The call straight between the two browsers (WebRTC), signalled over the server. Both kinds of tracks are agreed on once;
// muting, switching and changing a device only change what is sent, so that nothing needs to be agreed on again but the
// way between the two (ICE), after a change of network.
import { Signals } from "./signals.js";
import { Unreachable } from "../server.js";
import { addUp } from "./figures.js";

const STANDS_WITHIN_MS = 7000;
const STUCK_MS = 1500;
const GATHER_MS = 60;

export class Transport {
  #on;
  #facts;
  #signals;
  #tracks = { audio: null, video: null };
  #peer = null;
  #other = null;
  #senders = {};
  #status = null;
  #told = { audio: false, video: false };
  #offering = false;
  #ignoring = false;
  #candidates = [];
  #timers = { stands: 0, stuck: 0, gather: 0 };
  #before = null;

  /** `on`: stream(MediaStream), state("connecting" | "on" | "stuck"), status({audio, video}: what the other sends),
   * elsewhere(). */
  constructor({ facts, ask, on }) {
    this.#facts = facts;
    this.#on = on;
    this.#signals = new Signals(`${facts.api}signals/`, ask, {
      heard: (signal) => this.#heard(signal),
      elsewhere: () => {
        this.stop();
        on.elsewhere();
      },
    });
  }

  /** Begin: {audio, video} are tracks or null. Tries again by itself until `stop`. */
  async start(tracks) {
    this.#tracks = { ...tracks };
    await this.#begin();
  }

  async #begin() {
    this.#hangUp();
    this.#on.state("connecting");
    this.#timers.stands = setTimeout(() => this.#begin(), STANDS_WITHIN_MS);
    try {
      const other = await this.#signals.hello();
      if (other) await this.#call(other, true);
    } catch (error) {
      // Tried again when the time for it is over; a refusal shows in the meter.
      if (!(error instanceof Unreachable)) console.info("The call cannot begin yet:", error.message);
    }
  }

  /** Send another track, or with null none. */
  async replace(kind, track) {
    this.#tracks[kind] = track;
    await this.#senders[kind]?.replaceTrack(track);
    this.#tell();
  }

  /** What this side sends is told to the other: nothing says "muted" in the media themselves. */
  status(told) {
    this.#told = told;
    this.#tell();
  }

  /** Tokens are of no use here: who may signal is checked at each call. */
  async renew() {}

  stop() {
    this.#signals.close();
    this.#hangUp();
    this.#tracks = { audio: null, video: null };
  }

  /** The network has changed: find another way. */
  restart() {
    this.#peer?.restartIce();
  }

  /** How loud the other is, 0 to 1. */
  level() {
    const receiver = this.#peer?.getReceivers().find((one) => one.track.kind === "audio");
    return receiver?.getSynchronizationSources()[0]?.audioLevel ?? 0;
  }

  /** The connection since the last time asked (figures.js); null before it stands. */
  async measure() {
    if (this.#peer?.connectionState !== "connected") return null;
    const { figures, totals } = addUp(await this.#peer.getStats(), this.#before, performance.now());
    this.#before = totals;
    return figures;
  }

  #hangUp() {
    Object.values(this.#timers).forEach(clearTimeout);
    this.#status?.close();
    this.#peer?.close();
    this.#peer = this.#status = this.#other = this.#before = null;
    this.#senders = {};
    this.#candidates = [];
    this.#offering = this.#ignoring = false;
  }

  /** A fresh connection with the seat `other`; the second one to come offers. */
  async #call(other, offers) {
    const stands = this.#timers.stands;
    this.#timers.stands = 0;
    this.#hangUp();
    this.#timers.stands = stands;
    const peer = new RTCPeerConnection({ iceServers: this.#facts.media.iceServers });
    this.#peer = peer;
    this.#other = other;
    this.#watch(peer);
    if (offers) await this.#send(peer);
  }

  /** Add what this side sends; with an offer at hand, into the places that it made. */
  async #send(peer) {
    const stream = new MediaStream();
    if (!this.#status) {
      // Agreed on beforehand: it needs no signal of its own.
      this.#status = peer.createDataChannel("status", { negotiated: true, id: 0 });
      this.#status.addEventListener("open", () => this.#tell());
      this.#status.addEventListener("message", ({ data }) => this.#on.status(JSON.parse(data)));
    }
    for (const kind of this.#facts.media.kinds) {
      if (this.#senders[kind]) continue;
      const track = this.#tracks[kind];
      // The transceivers that an offer brought along are used, else there would be two of each kind.
      const brought = peer.getTransceivers().find((one) => one.receiver.track.kind === kind && !one.stopped);
      const transceiver = brought ?? peer.addTransceiver(kind, { direction: "sendrecv", streams: [stream] });
      transceiver.direction = "sendrecv";
      this.#senders[kind] = transceiver.sender;
      await transceiver.sender.replaceTrack(track);
    }
  }

  #watch(peer) {
    const stream = new MediaStream();
    peer.addEventListener("track", ({ track }) => {
      stream.addTrack(track);
      this.#on.stream(stream);
    });
    peer.addEventListener("icecandidate", ({ candidate }) => candidate && this.#gathered(peer, candidate));
    peer.addEventListener("negotiationneeded", () => this.#offer(peer));
    peer.addEventListener("connectionstatechange", () => peer === this.#peer && this.#changed(peer.connectionState));
  }

  /** Addresses come in a flock: they are sent together. */
  #gathered(peer, candidate) {
    this.#candidates.push(candidate.toJSON());
    this.#timers.gather ||= setTimeout(() => {
      this.#timers.gather = 0;
      const candidates = this.#candidates.splice(0);
      if (peer === this.#peer) this.#signals.send(this.#other, "candidates", { candidates });
    }, GATHER_MS);
  }

  async #offer(peer) {
    if (peer !== this.#peer) return;
    try {
      this.#offering = true;
      await peer.setLocalDescription();
      this.#signals.send(this.#other, peer.localDescription.type, { description: peer.localDescription.sdp });
    } finally {
      this.#offering = false;
    }
  }

  async #heard(signal) {
    if (signal.kind === "hello") {
      this.#on.state("connecting");
      this.#signals.calm(false);
      await this.#call(signal.seat, false);
      return this.#standsSoon();
    }
    if (signal.seat !== this.#other) await this.#call(signal.seat, false);
    try {
      await this.#agree(this.#peer, signal);
    } catch (fault) {
      // An answer to what is no more, a candidate of a description that was dropped: what counts comes again.
      console.info("A signal was of no use:", fault.message);
    }
  }

  /** Perfect negotiation: where both offer at once, the client gives way. */
  async #agree(peer, signal) {
    if (signal.kind === "candidates") {
      for (const candidate of signal.candidates) if (!this.#ignoring) await peer.addIceCandidate(candidate);
      return;
    }
    const polite = this.#facts.role === "client";
    const collides = signal.kind === "offer" && (this.#offering || peer.signalingState !== "stable");
    this.#ignoring = !polite && collides;
    if (this.#ignoring) return;
    await peer.setRemoteDescription({ type: signal.kind, sdp: signal.description });
    if (signal.kind !== "offer") return;
    await this.#send(peer);
    await peer.setLocalDescription();
    this.#signals.send(signal.seat, "answer", { description: peer.localDescription.sdp });
  }

  #changed(state) {
    clearTimeout(this.#timers.stuck);
    if (state === "connected") {
      clearTimeout(this.#timers.stands);
      this.#timers.stands = 0;
      this.#signals.calm(true);
      this.#on.state("on");
    } else if (state === "disconnected" || state === "failed") {
      this.#on.state("stuck");
      this.#signals.calm(false);
      this.#timers.stuck = setTimeout(() => this.restart(), state === "failed" ? 0 : STUCK_MS);
      this.#standsSoon();
    }
  }

  #standsSoon() {
    clearTimeout(this.#timers.stands);
    this.#timers.stands = setTimeout(() => this.#begin(), STANDS_WITHIN_MS);
  }

  #tell() {
    if (this.#status?.readyState === "open") this.#status.send(JSON.stringify(this.#told));
  }
}
