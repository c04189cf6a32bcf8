// Writes the page into one file: `node build.mjs OUT`. What is left to fill in are its title and its data.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const [out] = process.argv.slice(2);
const bundled = await build({
  entryPoints: ["src/main.js"],
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  legalComments: "none",
  write: false,
});
const script = bundled.outputFiles[0].text.trim().replaceAll("</script", "<\\/script");
const fill = {
  SCRIPT_HASH: createHash("sha256").update(script).digest("base64"),
  LICENCES: licences().replaceAll("--", "- -"),
  STYLE: readFileSync("src/page.css", "utf8").trim(),
  SCRIPT: script,
};
const page = readFileSync("src/page.html", "utf8");
writeFileSync(out, page.replace(/\{\{([A-Z_]+)\}\}/g, (whole, name) => fill[name] ?? whole));

/** Returns name and licence of each package that is in the bundle: regl-scatterplot brings its own within itself. */
function licences() {
  const { packages } = JSON.parse(readFileSync("package-lock.json", "utf8"));
  const brought = Object.keys(packages).filter((place) => place && !packages[place].dev);
  return [...brought.sort().map(licence), readFileSync("INLINED.txt", "utf8").trim()].join("\n\n");
}

function licence(folder) {
  const { name, version, license, author } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
  const text = file ? readFileSync(join(folder, file), "utf8").trim() : "";
  return `${name} ${version} (${license}; ${author?.name ?? author ?? ""})\n${text}`.trim();
}
