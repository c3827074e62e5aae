// Reads tokens with Agora's own agora-token (npm): [{version, certificate, kind, channel, user, token}] in, what it says out.
const path = require("node:path");
const library = path.join(process.argv[2], "agora-token/src");
const { AccessToken } = require(path.join(library, "AccessToken.js"));
const { AccessToken2 } = require(path.join(library, "AccessToken2.js"));

function read006({ token, certificate, channel, user, kind }) {
  const found = new AccessToken("", certificate, channel, user);
  if (!found.fromString(token)) throw new Error("not read");
  const { ts, salt, messages, appID } = found;
  // Built again by Agora's code from the same values, it must be the same text.
  const again = new AccessToken(appID, certificate, channel, user);
  Object.assign(again, { ts, salt, messages });
  return { app: appID, kind, channel, user, genuine: again.build() === token, expires: Object.values(messages), ts };
}

function read007({ token, certificate }) {
  const found = new AccessToken2("", "", 0, 0);
  if (!found.from_string(token)) throw new Error("not read");
  const [service] = found.services;
  return {
    app: found.appId.toString(),
    genuine: found.verifySignature(certificate),
    kind: service.service_type() === 1 ? "rtc" : "rtm",
    channel: service.__channel_name?.toString() ?? "",
    user: (service.__uid ?? service.__user_id).toString(),
    expires: Object.values(service.__privileges),
    seconds: found.expire,
    services: found.services.length,
  };
}

let text = "";
process.stdin.on("data", (part) => (text += part));
process.stdin.on("end", () => {
  const read = (one) => (one.version === "006" ? read006(one) : read007(one));
  console.log(JSON.stringify(JSON.parse(text).map(read)));
});
