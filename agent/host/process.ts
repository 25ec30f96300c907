// Moved: the demo needs it too.
export * from "../../lib/process.js";
