import {
  type ContainerCapabilities,
  type ContainerHealth,
  type ContainerMount,
  type CrunOptions,
  HealthState,
} from "../../../../proto/gen/zor/v1/crun.js";
import { type DescribeLine, field, heading } from "../../../kit/describe/line.js";
import { formatMib } from "../../../kit/format.js";
import { labelText } from "../../../kit/table/columns.js";

/** What is known of a container. What is not set takes no line. */
export function crunLines(options: CrunOptions, health: ContainerHealth | undefined): readonly DescribeLine[] {
  const { rootfs, command, environment, persistent, capabilities, sysctls, dns, limits } = options;
  return [
    heading("Container"),
    field("rootfs", rootfs),
    ...set("entrypoint", options.entrypoint.join(" ")),
    field("command", command.join(" ")),
    ...set("directory", options.workingDirectory),
    ...set("user", options.user),
    field("environment", labelText(environment)),
    field("capabilities", capabilityText(capabilities)),
    field("sysctls", labelText(sysctls)),
    ...set("hostname", options.hostname),
    ...set("network", options.networkOf === "" ? "" : `that of ${options.networkOf}`),
    ...set("dns", [...(dns?.servers ?? []), ...(dns?.search ?? []).map((domain) => `in ${domain}`)].join(" ")),
    ...set("hosts", labelText(options.extraHosts)),
    ...options.mounts.map((mount) => field("mount", mountText(mount))),
    ...options.devices.map(({ hostPath, path }) => field("device", path === "" ? hostPath : `${path} is ${hostPath}`)),
    ...set(
      "walls",
      [
        options.privileged ? "none: privileged" : "",
        options.userNamespace ? "users of its own" : "",
        options.init === "" ? "" : `init ${options.init}`,
        options.readOnlyRoot ? "read-only root" : "",
      ]
        .filter((word) => word !== "")
        .join(", "),
    ),
    ...set(
      "limits",
      [
        limits?.swapMib === undefined ? "" : `swap ${formatMib(limits.swapMib)}`,
        limits?.pids === undefined ? "" : `${limits.pids} processes`,
        limits === undefined || limits.cpuset === "" ? "" : `CPUs ${limits.cpuset}`,
      ]
        .filter((word) => word !== "")
        .join(", "),
    ),
    ...healthLines(options, health),
    field("changes", persistent ? "kept over stop and start" : "thrown away on stop"),
  ];
}

function set(name: string, value: string): readonly DescribeLine[] {
  return value === "" ? [] : [field(name, value)];
}

function mountText({ target, source, readOnly }: ContainerMount): string {
  const of =
    source?.$case === "tmpfsMib" ? `${formatMib(source.value)} of memory` : `${source?.value ?? ""} of the host`;
  return `${target} is ${of}${readOnly ? ", read-only" : ""}`;
}

function healthLines({ healthCheck }: CrunOptions, health: ContainerHealth | undefined): readonly DescribeLine[] {
  if (healthCheck === undefined) return [];
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
function capabilityText(capabilities: ContainerCapabilities | undefined): string {
  const { add = [], drop = [] } = capabilities ?? {};
  return [...add.map((name) => `+${name}`), ...drop.map((name) => `-${name}`)].join(" ");
}
