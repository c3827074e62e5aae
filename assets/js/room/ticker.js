// A worker that does nothing but say that time passes (see clock.js).
setInterval(() => postMessage(0), 500);
