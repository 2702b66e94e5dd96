// Builds the bundles from the packages beside it into the directory that it is told.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const into = process.argv[2];
const PARTS = [
  { file: "url", names: ["URL", "URLSearchParams"] },
  { file: "buffer", names: ["Buffer"] },
  { file: "text", names: ["TextEncoder", "TextDecoder"] },
  { file: "clone", names: ["structuredClone"] },
];
const SHARED = {
  bundle: true,
  minify: true,
  charset: "ascii",
  target: "es2023",
  platform: "neutral",
  mainFields: ["main"],
  legalComments: "none",
  metafile: true,
  write: false,
  logLevel: "warning",
};
const held = new Set();

async function bundled(options) {
  const { outputFiles, metafile } = await build({ ...SHARED, format: "iife", ...options });
  for (const input of Object.keys(metafile.inputs)) {
    const found = /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (found) held.add(found[1]);
  }
  return outputFiles[0].text.trim();
}

// A part sees the globals through an object of its own, so that it leaves nothing behind on them but its names.
async function part({ file, names }) {
  const text = await bundled({
    entryPoints: [`parts/${file}.mjs`],
    define: { globalThis: "scope" },
    globalName: "part",
  });
  const define = `for(const name of ${JSON.stringify(names)})Object.defineProperty(globalThis,name,{configurable:true,writable:true,value:part[name]})`;
  return `(()=>{const scope=Object.create(globalThis);${text}${define}})();\n`;
}

for (const each of PARTS) writeFileSync(join(into, `${each.file}.js`), await part(each));
const syntax = await bundled({ entryPoints: ["syntax.mjs"], globalName: "syntax" });

const licences = [...held].sort().map((name) => {
  const directory = join("node_modules", name);
  const { version, license } = JSON.parse(readFileSync(join(directory, "package.json"), "utf8"));
  const file = readdirSync(directory).find((each) => /^licen[cs]e/i.test(each));
  if (!file || !existsSync(join(directory, file))) throw new Error(`${name} has no licence in a file`);
  const text = readFileSync(join(directory, file), "utf8").replaceAll("\r\n", "\n").trim();
  return `${name} ${version} (${license})\n\n${text}\n`;
});
writeFileSync(join(into, "syntax.js"), `${syntax}\n`);
writeFileSync(join(into, "LICENSES.txt"), `What the bundles beside this file hold.\n\n${licences.join(`\n${"-".repeat(80)}\n\n`)}`);
