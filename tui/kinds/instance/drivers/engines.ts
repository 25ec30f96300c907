import { invalidArgument } from "../../../../lib/errors.js";
import { quote } from "../../../../lib/names.js";
import type { ContainerHealth } from "../../../../proto/gen/zor/v1/crun.js";
import type { ContainerEngineOptions } from "../../../../proto/gen/zor/v1/container_engine.js";
import { type DescribeLine, field, heading } from "../../../kit/describe/line.js";
import { type FlagValues, flagText, flagTexts } from "../../../kit/kind-commands.js";
import { formatMib } from "../../../kit/format.js";
import { labelText } from "../../../kit/table/columns.js";
import { accessLines, capabilityText, healthLines, listedWords, set, trafficWords } from "./container-lines.js";
import { containerFlags, readContainer, readMounts, readSize, readTmpfs, readTraffic } from "./container-flags.js";
import type { DriverFlags } from "./driver-flags.js";
import { imageFlag } from "./qemu.js";

const pulls = ["never", "missing", "always"];
const pullFlag = {
  flags: "--pull <when>",
  help: "docker, podman: fetch the image never, when it is missing, or always (default: missing)",
};

/** Flags for containers of Docker and of podman: the same but for the one that says which. */
export const dockerFlags = engineFlags("docker");
export const podmanFlags = engineFlags("podman");

function engineFlags(driver: "docker" | "podman"): DriverFlags {
  const ownImage = `--${driver}-image`;
  return {
    driver,
    takesCommand: true,
    flags: [
      { flags: `${ownImage} <name>`, help: `${driver}: image by name, file:ARCHIVE of an image directory, or micro` },
      // Where --driver says whose it is.
      imageFlag,
      pullFlag,
      ...containerFlags,
    ],
    read: (values, words) => {
      const image = flagText(values, `${driver}Image`) ?? flagTexts(values, "image")[0];
      return {
        ...(image === undefined ? {} : { image }),
        ...readPull(values),
        command: words,
        ...readContainer(values),
        mounts: [...readMounts(values), ...readTmpfs(values)],
        ...readLimits(values),
        ...readTraffic(values),
      };
    },
    check: ({ image }) => {
      if (image !== undefined) return;
      throw invalidArgument(ownImage, `a container of ${driver} needs one, such as ${ownImage} debian:12`);
    },
  };
}

/** What is known of a container. @param title of its engine. */
export function describeEngine(
  title: string,
  options: ContainerEngineOptions,
  health: ContainerHealth | undefined,
): readonly DescribeLine[] {
  return [
    heading(title),
    field("image", options.image),
    field("entrypoint", options.entrypoint.join(" ")),
    field("command", options.command.join(" ")),
    field("environment", labelText(options.environment)),
    field("user", options.user),
    field("directory", options.workingDirectory),
    field("capabilities", capabilityText(options.capabilities)),
    field("sysctls", labelText(options.sysctls)),
    ...set("hostname", options.hostname),
    ...set("network", options.networkOf === "" ? "" : `that of ${options.networkOf}`),
    ...accessLines(options),
    ...Object.entries(options.tmpfsMib).map(([path, mib]) =>
      field("mount", `${path} is ${formatMib(BigInt(mib))} of memory`),
    ),
    ...set(
      "walls",
      listedWords([options.privileged ? "none: privileged" : "", options.readOnlyRoot ? "read-only root" : ""]),
    ),
    ...set(
      "limits",
      listedWords([
        options.swapMib === undefined ? "" : `swap ${formatMib(options.swapMib)}`,
        options.maxTasks === undefined ? "" : `${options.maxTasks} processes`,
        options.cpuSet === "" ? "" : `CPUs ${options.cpuSet}`,
        ...trafficWords(options),
      ]),
    ),
    ...set("stop signal", options.stopSignal),
    ...healthLines(options.healthCheck !== undefined, health),
    field("changes", options.persistent ? "kept over stop and start" : "thrown away at the next start"),
  ];
}

function readLimits(values: FlagValues): object {
  const { swapMib, pids, cpuset } = readSize(values);
  return {
    ...(swapMib === undefined ? {} : { swapMib }),
    ...(pids === undefined ? {} : { maxTasks: pids }),
    ...(cpuset === undefined ? {} : { cpuSet: cpuset }),
  };
}

function readPull(values: FlagValues): { readonly pull?: string } {
  const text = flagText(values, "pull");
  if (text === undefined) return {};
  if (!pulls.includes(text)) throw invalidArgument("--pull", `${quote(text)} is none of never, missing and always`);
  return { pull: `IMAGE_PULL_${text.toUpperCase()}` };
}
