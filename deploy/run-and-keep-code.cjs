// Runs zor's command line and leaves what V8 has compiled meanwhile, together with what it was given, where dist/cli.cjs looks for it.
const { renameSync, writeFileSync } = require("node:fs");
const { load, run } = require("../dist/cli.cjs");

const { script, code } = load();
process.on("exit", () => {
  writeFileSync(`${code}.new`, script.createCachedData());
  renameSync(`${code}.new`, code);
});
run(script);
