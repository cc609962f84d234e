// Bundles scripts and styles into the folder given, under names that carry a hash of their content.
// manifest.json tells the site which file is meant by which name; `digest` (given by the build hook) says what it was built from.
import { build } from "esbuild";
import { cp, mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";

const [out, digest] = process.argv.slice(2);
const here = import.meta.dirname;
await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });

const common = { bundle: true, minify: true, legalComments: "linked", metafile: true, target: "es2022", logLevel: "warning" };
const named = await build({
  ...common,
  entryPoints: ["site.js", "charts.js", "help.js", "site.css"].map((name) => path.join(here, "src", name)),
  entryNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  format: "iife",
  outdir: out,
});
const files = {};
for (const [file, made] of Object.entries(named.metafile.outputs)) {
  if (made.entryPoint) files[path.basename(made.entryPoint)] = path.basename(file);
}
// The service worker keeps its name: a browser asks for the same address to learn of a new one.
await build({
  ...common,
  entryPoints: [path.join(here, "src", "help-worker.js")],
  entryNames: "[name]",
  format: "iife",
  outdir: out,
  define: { ASSETS: JSON.stringify([files["site.css"], files["help.js"], files["site.js"]]) },
});
await cp(path.join(here, "src", "icon.svg"), path.join(out, "icon.svg"));
await writeFile(path.join(out, "manifest.json"), JSON.stringify({ digest, files }, null, 1) + "\n");
