import { type Probe, probeHost } from "../../agent/host/fingerprint.js";

let probed: ReturnType<Probe> | undefined;

/** What this machine can do, found out once for all agents of a test file: each of some twenty programs is started for it. */
export const probedOnce: Probe = () => {
  probed ??= probeHost({ signal: new AbortController().signal });
  return probed;
};
