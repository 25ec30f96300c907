// dist/cli.cjs, dist/tui.cjs: start a program that is one CommonJS script with what V8 compiled of it when it was built (compiled-code.mjs).
// Node's own compile cache would keep only what V8 compiles before anything runs, and one copy for each user.
const { readFileSync } = require("node:fs");
const { basename, join } = require("node:path");
const { constants, Script } = require("node:vm");

const program = basename(__filename, ".cjs");
const filename = join(__dirname, `${program}-main.cjs`);

/** Where the compiled code of a source lies: V8 compares lengths only, so the source names it by its hash, in its first line. */
function codeFile(source) {
  const hash = /^\/\*([0-9a-f]+)\*\//.exec(source.slice(0, 80))?.[1];
  return hash === undefined ? undefined : join(__dirname, `${program}-${hash}.code`);
}

function compiledCode(source) {
  try {
    return readFileSync(codeFile(source));
  } catch {
    // It could not be made, or a build is just making it: V8 compiles the source, as it also does with the code of another V8.
    return undefined;
  }
}

/** The program as a script that has not run yet, and where its compiled code belongs. */
function load() {
  // The build makes sure that there is nothing but ASCII in it: as Latin-1 it needs no decoding.
  const source = readFileSync(filename, "latin1");
  const cachedData = compiledCode(source);
  const importModuleDynamically = constants.USE_MAIN_CONTEXT_DEFAULT_LOADER;
  return { script: new Script(source, { filename, cachedData, importModuleDynamically }), code: codeFile(source) };
}

/** Runs it on this process's arguments; it ends the process. */
function run(script) {
  const module = { exports: {} };
  script.runInThisContext()(module.exports, require, module, filename, __dirname);
}

if (require.main === module) run(load().script);
module.exports = { load, run };
