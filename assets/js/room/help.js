// Help lines: at hand at any time, and before everything else while the clock stands for them.
import { hub } from "./hub.js";

const room = document.querySelector("[data-room]");
const lines = document.querySelector("[data-help-lines]");
const dialog = document.querySelector("#help");
const stop = dialog.querySelector("[data-help-stop]");

hub.on("meter", ({ meter }) => {
  const crisis = meter.pause_cause === "crisis";
  room.toggleAttribute("data-crisis", crisis);
  lines.hidden = !crisis;
  stop.hidden = meter.state !== "active";
});

stop.addEventListener("click", async () => {
  stop.disabled = true;
  try {
    await hub.ask(`${hub.facts.api}help/`, { method: "POST" });
    dialog.close();
  } catch {
    // What it means for the room, the next poll tells; the lines stay open.
    hub.note("That did not get through. The help lines are open to you all the same.");
  } finally {
    stop.disabled = false;
  }
});
