// run-and-keep-code.cjs DIST PROGRAM ARGUMENTS: runs a script of that directory, cli or tui, and leaves what V8 has compiled meanwhile,
// together with what it was given, where its start-script.cjs looks for it.
const { renameSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");

const [dist, program] = process.argv.splice(2, 2);
const { load, run } = require(join(dist, `${program}.cjs`));

if (program === "tui") require("./pretended-terminal.cjs");
const { script, code } = load();
process.on("exit", () => {
  writeFileSync(`${code}.new`, script.createCachedData());
  renameSync(`${code}.new`, code);
});
run(script);
