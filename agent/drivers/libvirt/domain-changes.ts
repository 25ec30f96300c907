import type { Domain } from "./domain.js";

/** What happened to a domain, in the words of the events of drivers. */
export type DomainChange = "started" | "exited" | "paused" | "resumed" | "reset";

/** What happened between two looks at a domain; nothing is known of what was before the first. */
export function changesOf(before: Domain | undefined, now: Domain): readonly DomainChange[] {
  if (before === undefined) return [];
  const wasPaused = before.state === "paused";
  const isPaused = now.state === "paused";
  if (before.run !== now.run)
    return [
      ...(before.run === undefined ? [] : (["exited"] as const)),
      ...(now.run === undefined ? [] : (["started"] as const)),
      ...(now.run !== undefined && isPaused ? (["paused"] as const) : []),
    ];
  if (now.run === undefined || wasPaused === isPaused) return [];
  return [isPaused ? "paused" : "resumed"];
}
