// run-and-keep-code.cjs DIST ARGUMENTS: runs zor's command line of that directory and leaves what V8 has compiled meanwhile, together with
// what it was given, where its cli.cjs looks for it.
const { renameSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");

const [dist] = process.argv.splice(2, 1);
const { load, run } = require(join(dist, "cli.cjs"));

const { script, code } = load();
process.on("exit", () => {
  writeFileSync(`${code}.new`, script.createCachedData());
  renameSync(`${code}.new`, code);
});
run(script);
