import type { Observation, RunEnd } from "../driver.js";
import type { Domain } from "./domain.js";
import type { Trouble } from "./libvirt-connection.js";

const nothing = { pid: 0, startTime: undefined, accelerator: "", execReady: false } as const;

/** What is observed of a domain. */
export function toObservation(uri: string, domain: Domain | undefined, trouble: Trouble | undefined): Observation {
  if (trouble !== undefined) {
    const since = trouble.since.toISOString().replace(/\.\d+Z$/, "Z");
    return {
      ...nothing,
      state: "unknown",
      reason: `libvirt at ${uri} does not answer since ${since}: ${trouble.reason}`,
    };
  }
  if (domain === undefined) {
    const reason = `libvirt at ${uri} has this domain no more; let go of it with: zor delete instance`;
    return { ...nothing, state: "failed", reason };
  }
  const { state, why, word } = domain;
  if (state === "unknown")
    return { ...nothing, state, reason: `libvirt says of it: ${word === "" ? "nothing" : word}` };
  if (state === "running" || state === "paused")
    return { ...nothing, state, reason: word === "in shutdown" ? word : "" };
  const end = endOf(domain);
  const reason = why === "" || why === "shutdown" || why === "destroyed" ? "" : `libvirt says of its end: ${why}`;
  return { ...nothing, state: why === "failed" ? "failed" : state, reason, ...(end === undefined ? {} : { end }) };
}

function endOf({ why, state }: Domain): RunEnd | undefined {
  if (why === "shutdown") return { kind: "guest-shutdown" };
  if (why === "panicked") return { kind: "guest-panic" };
  if (why === "crashed" || why === "failed" || state === "failed") return { kind: "runtime-error" };
  return undefined;
}
