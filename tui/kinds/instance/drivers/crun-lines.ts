import type { ContainerHealth, CrunOptions } from "../../../../proto/gen/zor/v1/crun.js";
import { type DescribeLine, field, heading } from "../../../kit/describe/line.js";
import { formatMib } from "../../../kit/format.js";
import { labelText } from "../../../kit/table/columns.js";
import { accessLines, capabilityText, healthLines, listedWords, set, trafficWords } from "./container-lines.js";

/** What is known of a container. What is not set takes no line. */
export function crunLines(options: CrunOptions, health: ContainerHealth | undefined): readonly DescribeLine[] {
  const { rootfs, command, environment, persistent, capabilities, sysctls, limits, healthCheck } = options;
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
    ...accessLines(options),
    ...set(
      "walls",
      listedWords([
        options.privileged ? "none: privileged" : "",
        options.userNamespace ? "users of its own" : "",
        options.init === "" ? "" : `init ${options.init}`,
        options.readOnlyRoot ? "read-only root" : "",
      ]),
    ),
    ...set(
      "limits",
      listedWords([
        limits?.swapMib === undefined ? "" : `swap ${formatMib(limits.swapMib)}`,
        limits?.pids === undefined ? "" : `${limits.pids} processes`,
        limits === undefined || limits.cpuset === "" ? "" : `CPUs ${limits.cpuset}`,
        ...(limits === undefined ? [] : trafficWords(limits)),
      ]),
    ),
    ...healthLines(healthCheck !== undefined, health),
    field("changes", persistent ? "kept over stop and start" : "thrown away on stop"),
  ];
}
