import { checkPause, checkReset, checkResume, checkStart, checkStop } from "./action-checks.js";
import { pause, reset, resume, start, stop } from "./power.js";

/** Things done to an instance at once. */
export type Action = "start" | "stop" | "pause" | "resume" | "reset";

export const actions = { start, stop, pause, resume, reset } as const;

/** What refuses each of them, without doing anything. */
export const checks = {
  start: checkStart,
  stop: checkStop,
  pause: checkPause,
  resume: checkResume,
  reset: checkReset,
} as const;
