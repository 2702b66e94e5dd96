// Builds the bundles from the packages that package.json names, once it has seen that they are the ones
// that integrity.json knows. `node build.mjs --trust` notes the installed ones as those.
import { readFileSync, writeFileSync } from 'node:fs';
import { build } from 'esbuild';

const here = new URL('.', import.meta.url);
const target = new URL(process.env.BUNDLES_TO ?? '../../services/countersign/actions/javascript/bundles/', here);
const read = (name) => readFileSync(new URL(name, here), 'utf8');

// esbuild's own binaries differ from machine to machine, and leave nothing in a bundle.
const installed = Object.entries(JSON.parse(read('node_modules/.package-lock.json')).packages)
  .map(([path, { version, integrity }]) => [path.replace(/^.*node_modules\//, ''), version, integrity])
  .filter(([name]) => !name.startsWith('@esbuild/'))
  .map(([name, version, integrity]) => [`${name}@${version}`, integrity])
  .sort(([one], [other]) => (one < other ? -1 : 1));

if (process.argv.includes('--trust')) {
  writeFileSync(new URL('integrity.json', here), `${JSON.stringify(Object.fromEntries(installed), null, 2)}\n`);
}
const known = JSON.parse(read('integrity.json'));
for (const [name, integrity] of installed) {
  if (known[name] !== integrity) {
    throw new Error(`${name} is not the package that integrity.json knows. Look at it, then run: node build.mjs --trust`);
  }
}

const inside = new Set();
for (const name of ['platform', 'syntax']) {
  const { metafile } = await build({
    entryPoints: [new URL(`${name}.js`, here).pathname],
    outfile: new URL(`${name}.js`, target).pathname,
    absWorkingDir: here.pathname,
    bundle: true,
    minify: true,
    format: 'iife',
    target: 'es2022',
    charset: 'utf8',
    legalComments: 'none',
    metafile: true,
    banner: { js: '// Made by tools/bundles; the licences of what it holds are in LICENSES.txt.' },
  });
  for (const path of Object.keys(metafile.inputs)) {
    const found = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path);
    if (found) inside.add(found[1]);
  }
}

const licences = [...inside].sort().map((name) => {
  const { version, license } = JSON.parse(read(`node_modules/${name}/package.json`));
  const text = ['LICENSE', 'LICENSE.md', 'LICENSE.txt', 'LICENCE']
    .map((file) => { try { return read(`node_modules/${name}/${file}`); } catch { return null; } })
    .find((found) => found !== null);
  if (text === undefined) throw new Error(`${name} has no licence file`);
  return `${name} ${version} (${license})\n\n${text.trim()}\n`;
});
writeFileSync(new URL('LICENSES.txt', target), licences.join(`\n${'-'.repeat(80)}\n\n`));
