// Figures of a connection from RTCPeerConnection.getStats(), as the difference between two readings of its totals.

/** {figures, totals}: `figures` of the time since `before` (totals of the last time, or null), null the first time.
 * round_trip_ms, jitter_ms; loss_percent of what was to come; bitrate_kbps in; freezes (video); frames and samples in all. */
export function addUp(stats, before, now) {
  const totals = { at: now, bytes: 0, packets: 0, lost: 0, freezes: 0, frames: 0, samples: 0, jitter: 0, roundTrip: null };
  for (const one of stats.values()) {
    if (one.type === "inbound-rtp") {
      totals.bytes += one.bytesReceived ?? 0;
      totals.packets += one.packetsReceived ?? 0;
      totals.lost += one.packetsLost ?? 0;
      totals.freezes += one.freezeCount ?? 0;
      totals.frames += one.framesDecoded ?? 0;
      totals.samples += one.totalSamplesReceived ?? 0;
      totals.jitter = Math.max(totals.jitter, (one.jitter ?? 0) * 1000);
    } else if (one.type === "candidate-pair" && one.nominated && one.state === "succeeded") {
      totals.roundTrip = (one.currentRoundTripTime ?? 0) * 1000;
    }
  }
  if (!before) return { figures: null, totals };
  const seconds = Math.max(0.001, (now - before.at) / 1000);
  const lost = Math.max(0, totals.lost - before.lost);
  const came = Math.max(0, totals.packets - before.packets);
  return { figures: figuresOf({ ...totals, lost, came, seconds, before }), totals };
}

function figuresOf({ before, lost, came, seconds, ...totals }) {
  return {
    round_trip_ms: Math.round(totals.roundTrip ?? 0),
    jitter_ms: Math.round(totals.jitter),
    loss_percent: came + lost ? Math.round((1000 * lost) / (came + lost)) / 10 : 0,
    bitrate_kbps: Math.round((8 * Math.max(0, totals.bytes - before.bytes)) / seconds / 1000),
    freezes: Math.max(0, totals.freezes - before.freezes),
    frames: totals.frames,
    samples: totals.samples,
  };
}

/** "good", "fair" or "poor": what a person would say of it. `expects`: the other sends something. */
export function quality(figures, expects = true) {
  const { round_trip_ms: trip, loss_percent: loss, freezes, jitter_ms: jitter, bitrate_kbps: rate } = figures;
  if (loss > 8 || trip > 600 || freezes > 1 || (expects && rate === 0)) return "poor";
  if (loss > 2 || trip > 250 || jitter > 60 || freezes > 0) return "fair";
  return "good";
}
