import { type Host, HostState } from "../../../proto/gen/zor/v1/host.js";
import { formatMib } from "../../kit/format.js";
import type { Row } from "../../kit/row.js";
import type { Trouble } from "../../kit/trouble/trouble.js";
import { hostStyle } from "./states.js";

/** A host with less of its memory is short of it. */
const leastShare = 20n;

/** What is wrong with a host: the hub cannot speak with it, or it is short of something. */
export function hostTrouble({ resource: host }: Row<Host>): Trouble | undefined {
  const { symbol, word, tone } = hostStyle(host.state);
  if (tone === "bad") return { tone, symbol, word, why: host.reason, since: host.lastSeenTime };
  if (host.state !== HostState.HOST_STATE_READY) return undefined;
  const why = [memoryText(host), loadText(host)].filter((text) => text !== "").join("; ");
  return why === "" ? undefined : { tone: "warn", symbol: "!", word: "short", why, since: undefined };
}

function memoryText({ summary, fingerprint }: Host): string {
  const [free, all] = [summary?.memoryAvailableMib ?? 0n, fingerprint?.memoryMib ?? 0n];
  if (all === 0n || free * leastShare >= all) return "";
  return `${formatMib(free)} of ${formatMib(all)} memory are left`;
}

function loadText({ summary, fingerprint }: Host): string {
  const [load, cpus] = [summary?.loadAverage ?? 0, fingerprint?.cpus ?? 0];
  return cpus === 0 || load <= cpus * 2 ? "" : `a load of ${load.toFixed(1)} on ${cpus} processors`;
}
