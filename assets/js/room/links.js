// Links in a message: out of the house by way of a page that says so, to our own pages straight.
const LINK = /\bhttps?:\/\/[^\s<>"'`]+|\bwww\.[^\s<>"'`]+/gi;
// What ends a sentence does not belong to the address, nor does a bracket that was not opened in it.
const ENDING = /[.,;:!?…»”’)\]}]+$/;

function trimmed(address) {
  const bare = address.replace(ENDING, "");
  return address[bare.length] === ")" && bare.includes("(") && !bare.includes(")") ? `${bare})` : bare;
}

function target(address) {
  const url = /^www\./i.test(address) ? `https://${address}` : address;
  try {
    return { url, own: new URL(url).origin === location.origin };
  } catch {
    return null;
  }
}

/** Show `text` in `element`, its links as links. `place` is where the message stands ("17:3"), or null while it has none. */
export function write(element, text, place) {
  element.textContent = "";
  let from = 0;
  for (const found of text.matchAll(LINK)) {
    const address = trimmed(found[0]);
    const leads = place && target(address);
    if (!leads) continue;
    element.append(text.slice(from, found.index));
    const link = document.createElement("a");
    link.textContent = address;
    link.rel = "noopener noreferrer nofollow";
    link.target = "_blank";
    link.href = leads.own ? leads.url : `/leaving/?in=${place}&to=${encodeURIComponent(leads.url)}`;
    element.append(link);
    from = found.index + address.length;
  }
  element.append(text.slice(from));
}
