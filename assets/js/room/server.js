// Calls to our own API: JSON in, JSON out, with the CSRF token and a time-out. Two things can go wrong, and they are
// told apart: Refused (the server said no, in words) and Unreachable (nobody knows; the same call may be made again).
const TIMEOUT_MS = 10000;

export class Refused extends Error {
  constructor(status, problem, retryAfterSeconds) {
    super(problem.detail || problem.title || "This was refused.");
    this.status = status;
    this.code = problem.code;
    this.problem = problem;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

export class Unreachable extends Error {}

const token = () => document.querySelector('meta[name="csrf-token"]')?.content ?? "";

/** GET or send JSON; the answer's JSON. `keepalive`: the page may be left meanwhile. Throws Refused, Unreachable. */
export async function call(path, { method = "GET", body, keepalive = false } = {}) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRFToken"] = token();
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  let answer;
  try {
    response = await fetch(path, {
      method,
      headers,
      keepalive,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      credentials: "same-origin",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    answer = await response.json();
  } catch (fault) {
    throw new Unreachable(String(fault));
  }
  if (response.ok) return answer;
  // The server, or a proxy before it, is in trouble: as good as a lost connection, and as passing.
  if (response.status >= 500) throw new Unreachable(`status ${response.status}`);
  throw new Refused(response.status, answer, Number(response.headers.get("Retry-After")) || 0);
}

/** A random UUID; crypto.randomUUID is missing where the page came over plain http from another machine. */
export function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
