// Builds everything under soulseer/static/build/ (not committed). Run by `npm run build`; needs no network.
//   assets/css/{app,admin}.css   -> {app,admin}.css      through Tailwind, minified
//   assets/js/shared/*.js        -> app.js               in order of name, each in its own function; and singly
//   assets/js/**/*.js            -> the same path        copied
//   packages                     -> fonts/, htmx.min.js, uplot.min.js, uplot.min.css
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { cp, mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

const assets = path.dirname(fileURLToPath(import.meta.url));
const root = path.dirname(assets);
const target = path.join(root, "soulseer/static/build");
const modules = path.join(root, "node_modules");
const tailwind = path.join(
  path.dirname(createRequire(import.meta.url).resolve("@tailwindcss/cli/package.json")),
  "dist/index.mjs",
);
const VERSION = "version.txt";
const watching = process.argv.includes("--watch");

const FONTS = [
  ...["latin", "latin-ext"].flatMap((subset) => [
    `@fontsource/alex-brush/files/alex-brush-${subset}-400-normal.woff2`,
    `@fontsource/playfair-display/files/playfair-display-${subset}-500-normal.woff2`,
    `@fontsource/playfair-display/files/playfair-display-${subset}-600-normal.woff2`,
    `@fontsource-variable/inter/files/inter-${subset}-wght-normal.woff2`,
  ]),
  // For PDFs (gateways/pdf.py): glyphs of many scripts.
  "dejavu-fonts-ttf/ttf/DejaVuSans.ttf",
  "dejavu-fonts-ttf/ttf/DejaVuSans-Bold.ttf",
];
const COPIES = {
  "htmx.org/dist/htmx.min.js": "htmx.min.js",
  "agora-rtc-sdk-ng/AgoraRTC_N-production.js": "agora-rtc.js",
  "agora-rtm/agora-rtm.js": "agora-rtm.js",
  "uplot/dist/uPlot.iife.min.js": "uplot.min.js",
  "uplot/dist/uPlot.min.css": "uplot.min.css",
};

/** Runs Tailwind over one style sheet; rejects with its own words when it fails. */
function styleSheet(name) {
  const temporary = path.join(target, `.${name}.new`);
  const output = watching ? path.join(target, name) : temporary;
  const flags = watching ? ["--watch=always"] : ["--minify"];
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      [tailwind, "--input", path.join(assets, "css", name), "--output", output, ...flags],
      { cwd: root, stdio: watching ? "inherit" : ["ignore", "ignore", "pipe"] },
    );
    let words = "";
    child.stderr?.on("data", (chunk) => (words += chunk));
    child.on("error", reject);
    child.on("exit", async (code) => {
      if (code !== 0) return reject(new Error(`${name}: Tailwind ended with ${code}\n${words}`));
      if (!watching) await rename(temporary, path.join(target, name));
      return resolve();
    });
  });
}

async function scripts() {
  const shared = path.join(assets, "js/shared");
  const names = (await readdir(shared)).filter((name) => name.endsWith(".js")).sort();
  const parts = await Promise.all(
    names.map(async (name) => `// ${name}\n(() => {\n${await readFile(path.join(shared, name), "utf8")}})();\n`),
  );
  await writeFile(path.join(target, "app.js"), `"use strict";\n${parts.join("")}`);
  await cp(shared, target, { recursive: true });
  await cp(path.join(assets, "js"), target, {
    recursive: true,
    filter: (source) => path.resolve(source) !== shared,
  });
}

async function packages() {
  await mkdir(path.join(target, "fonts"), { recursive: true });
  await Promise.all([
    ...FONTS.map((font) => cp(path.join(modules, font), path.join(target, "fonts", path.basename(font)))),
    ...Object.entries(COPIES).map(([from, to]) => cp(path.join(modules, from), path.join(target, to))),
  ]);
}

/** A name for all that was built, of its contents: production's addresses carry it, so that nothing stale is shown. */
async function version() {
  const hash = createHash("sha256");
  const files = await readdir(target, { recursive: true, withFileTypes: true });
  const names = files.filter((file) => file.isFile() && !file.name.startsWith(".") && file.name !== VERSION);
  for (const name of names.map((file) => path.join(file.parentPath, file.name)).sort()) {
    hash.update(path.relative(target, name)).update(await readFile(name));
  }
  await writeFile(path.join(target, VERSION), hash.digest("hex").slice(0, 16));
}

const started = Date.now();
if (process.argv.includes("--clean")) await rm(target, { recursive: true, force: true });
await mkdir(target, { recursive: true });
await Promise.all([scripts(), packages()]);
await Promise.all(["app.css", "admin.css"].map(styleSheet));
await version();
console.log(`assets built in ${((Date.now() - started) / 1000).toFixed(1)} s`);
