import {
  type ContainerCapabilities,
  type ContainerHealth,
  type ContainerLimits,
  type ContainerMount,
  type CrunOptions,
  HealthState,
} from "../../../../proto/gen/zor/v1/crun.js";
import { type DescribeLine, field } from "../../../kit/describe/line.js";
import { formatMib } from "../../../kit/format.js";
import { labelText } from "../../../kit/table/columns.js";

/** A fact that takes no line when it is not there. */
export function set(name: string, value: string): readonly DescribeLine[] {
  return value === "" ? [] : [field(name, value)];
}

function mountText({ target, source, readOnly }: ContainerMount): string {
  const of =
    source?.$case === "tmpfsMib" ? `${formatMib(source.value)} of memory` : `${source?.value ?? ""} of the host`;
  return `${target} is ${of}${readOnly ? ", read-only" : ""}`;
}

/** What its health check says. @param isChecked it has one. */
export function healthLines(isChecked: boolean, health: ContainerHealth | undefined): readonly DescribeLine[] {
  if (!isChecked && health === undefined) return [];
  const { state = HealthState.HEALTH_STATE_UNSPECIFIED, failures = 0, output = "" } = health ?? {};
  const shown = {
    [HealthState.HEALTH_STATE_UNSPECIFIED]: { text: "○ not checked", tone: "dim" },
    [HealthState.HEALTH_STATE_STARTING]: { text: "○ starting", tone: "dim" },
    [HealthState.HEALTH_STATE_HEALTHY]: { text: "● healthy", tone: "good" },
    [HealthState.HEALTH_STATE_UNHEALTHY]: { text: `● unhealthy: ${failures} failed`, tone: "bad" },
    [HealthState.UNRECOGNIZED]: { text: "○ unknown", tone: "dim" },
  } as const;
  const said = output.trim().split("\n").at(-1) ?? "";
  return [field("health", shown[state]), ...set("last check", said)];
}

/** What a container has beside and instead of the default capabilities. */
export function capabilityText(capabilities: ContainerCapabilities | undefined): string {
  const { add = [], drop = [] } = capabilities ?? {};
  return [...add.map((name) => `+${name}`), ...drop.map((name) => `-${name}`)].join(" ");
}

/** What it has of the host, and how it looks up names. */
export function accessLines({
  mounts,
  devices,
  dns,
  extraHosts,
}: Pick<CrunOptions, "mounts" | "devices" | "dns" | "extraHosts">): readonly DescribeLine[] {
  return [
    ...set("dns", [...(dns?.servers ?? []), ...(dns?.search ?? []).map((domain) => `in ${domain}`)].join(" ")),
    ...set("hosts", labelText(extraHosts)),
    ...mounts.map((mount) => field("mount", mountText(mount))),
    ...devices.map(({ hostPath, path }) => field("device", path === "" ? hostPath : `${path} is ${hostPath}`)),
  ];
}

/** What it may have of the host's disk. */
export function trafficWords(
  limits: Pick<
    ContainerLimits,
    "ioWeight" | "readBytesPerSecond" | "writeBytesPerSecond" | "readOperationsPerSecond" | "writeOperationsPerSecond"
  >,
): readonly string[] {
  const bounds: readonly (readonly [bigint, string])[] = [
    [limits.readBytesPerSecond, "B/s read"],
    [limits.writeBytesPerSecond, "B/s written"],
    [limits.readOperationsPerSecond, "reads/s"],
    [limits.writeOperationsPerSecond, "writes/s"],
  ];
  return [
    limits.ioWeight === undefined ? "" : `disk weight ${limits.ioWeight}`,
    ...bounds.map(([value, unit]) => (value === 0n ? "" : `${value} ${unit}`)),
  ];
}

/** What is in one line of several, without those that are not there. */
export function listedWords(words: readonly string[]): string {
  return words.filter((word) => word !== "").join(", ");
}
