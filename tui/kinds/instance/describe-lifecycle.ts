import {
  bootStartToJSON,
  endKindToJSON,
  type Instance,
  RestartMode,
  restartModeToJSON,
  shutdownActionToJSON,
} from "../../../proto/gen/zor/v1/instance.js";
import { type DescribeLine, field } from "../../kit/describe/line.js";
import type { CellContext } from "../../kit/fleet/fleet-view.js";
import { ageText } from "../../kit/table/columns.js";

/** When an instance is started and ended by itself, and how it ended last. What is as usual is left out. */
export function lifecycleLines({ spec, status }: Instance, context: CellContext): readonly DescribeLine[] {
  return [
    field("protected", spec?.deleteProtection === true ? "yes: it cannot be deleted" : ""),
    field("restarts", restartPolicyText(spec?.restart)),
    field("at boot", bootText(spec?.hostBoot)),
    field("at shutdown", shutdownText(spec?.hostShutdown)),
    field("restarted", status?.restart?.count ? `${status.restart.count} times in a row` : ""),
    field("last end", endText(status?.lastEnd, context)),
  ];
}

type Spec = NonNullable<Instance["spec"]>;

function restartPolicyText(policy: Spec["restart"]): string {
  if (policy === undefined || policy.mode === RestartMode.RESTART_MODE_UNSPECIFIED) return "";
  const { maxRestarts, minDelaySeconds, maxDelaySeconds } = policy;
  const most = maxRestarts === 0 ? "" : `, at most ${maxRestarts} in a row`;
  const waits = `${minDelaySeconds || 1} to ${maxDelaySeconds || Math.max(60, minDelaySeconds)} s between`;
  return policy.mode === RestartMode.RESTART_MODE_NEVER
    ? "never"
    : `${wordOf(restartModeToJSON(policy.mode), "RESTART_MODE_")}, ${waits}${most}`;
}

function bootText(boot: Spec["hostBoot"]): string {
  if (boot === undefined || boot.start === 0) return "";
  const delay = boot.delaySeconds === 0 ? "" : `, then ${boot.delaySeconds} s of waiting`;
  return `${wordOf(bootStartToJSON(boot.start), "BOOT_START_")}, order ${boot.order}${delay}`;
}

function shutdownText(shutdown: Spec["hostShutdown"]): string {
  if (shutdown === undefined || shutdown.action === 0) return "";
  const grace = shutdown.graceSeconds === 0 ? "" : `, within ${shutdown.graceSeconds} s`;
  return `${wordOf(shutdownActionToJSON(shutdown.action), "SHUTDOWN_ACTION_")}${grace}`;
}

function endText(end: NonNullable<Instance["status"]>["lastEnd"], context: CellContext): string {
  if (end === undefined) return "";
  const kind = end.kind === 0 ? "" : `${wordOf(endKindToJSON(end.kind), "END_KIND_")}, `;
  return `${kind}${ageText(end.time, context)} ago: ${end.text}`;
}

/** A value of an enumeration as people read it: "on-failure". */
function wordOf(name: string, prefix: string): string {
  return name.replace(prefix, "").toLowerCase().replaceAll("_", "-");
}
