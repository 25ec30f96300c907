// The first thing every program runs (deploy/build.mjs puts it there): libraries read variables when they are loaded.
import { isPinned } from "./pinned-variables.js";

for (const name of Object.keys(process.env)) if (isPinned(name)) Reflect.deleteProperty(process.env, name);
// Node prints warnings of libraries itself; programs with a log take them into it (lib/log.ts).
process.removeAllListeners("warning");
