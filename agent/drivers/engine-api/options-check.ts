import { constants } from "node:os";
import type { FieldViolation } from "../../../lib/errors.js";
import { isId, quote } from "../../../lib/names.js";
import { type ContainerEngineOptions, ImagePull } from "../../../proto/gen/zor/v1/container_engine.js";
import { checkCapabilities } from "../containers/capabilities.js";
import { checkDns } from "../containers/dns-check.js";
import { checkTraffic } from "../containers/disk-traffic.js";
import { checkHealth } from "../containers/health-check.js";
import { checkMounts } from "../containers/mounts-check.js";
import { checkSysctls } from "../containers/sysctl-check.js";
import { checkCommand, checkEnvironment } from "../containers/words-check.js";
import { microName } from "../images.js";
import { checkReference } from "./image-reference.js";

/** What an image's name begins with when it is an archive in an image directory of the agent. */
export const filePrefix = "file:";

const maxTmpfs = 32;
const maxTmpfsMib = 65_536;
const maxPathLength = 4096;
/** PID_MAX_LIMIT of the kernel. */
const maxTasks = 4_194_304;
const maxSwapMib = 2n ** 20n;

/**
 * What is wrong with a container's options, apart from what the host's policy says; pure.
 * @param base proto path of the options: "instance.spec.docker".
 */
export function checkEngineOptions(base: string, options: ContainerEngineOptions): readonly FieldViolation[] {
  const { maxTasks: tasks, swapMib: swap } = options;
  return [
    ...checkImageName(`${base}.image`, options.image),
    ...checkPull(`${base}.pull`, options),
    ...checkCommand(`${base}.command`, options.command),
    ...checkCommand(`${base}.entrypoint`, options.entrypoint),
    ...checkEnvironment(`${base}.environment`, options.environment),
    ...checkCapabilities(`${base}.capabilities`, options.capabilities),
    ...checkSysctls(`${base}.sysctls`, options.sysctls),
    ...checkTmpfs(`${base}.tmpfs_mib`, options.tmpfsMib),
    ...checkMounts(base, options),
    ...checkMountWords(base, options),
    ...checkHealth(`${base}.health_check`, options.healthCheck),
    ...checkDns(base, options),
    ...checkTraffic(base, options),
    ...checkNetwork(base, options),
    ...(swap !== undefined && (swap < 0n || swap > maxSwapMib)
      ? [{ field: `${base}.swap_mib`, description: `${swap} is not between 0 and ${maxSwapMib}` }]
      : []),
    ...checkText(`${base}.user`, options.user, {
      pattern: /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,31})?$/,
      example: "1000:1000",
    }),
    ...checkText(`${base}.hostname`, options.hostname, {
      pattern: /^(?=.{1,63}$)[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/,
      example: "r1",
    }),
    ...checkText(`${base}.cpu_set`, options.cpuSet, {
      pattern: /^(?=.{1,256}$)\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*$/,
      example: "0-1,3",
    }),
    ...checkDirectory(`${base}.working_directory`, options.workingDirectory),
    ...checkSignal(`${base}.stop_signal`, options.stopSignal),
    ...(tasks !== undefined && (tasks < 1 || tasks > maxTasks)
      ? [{ field: `${base}.max_tasks`, description: `${tasks} is not between 1 and ${maxTasks}` }]
      : []),
  ];
}

/** What is wrong with whose network it joins, and what it then has of that one. */
function checkNetwork(base: string, options: ContainerEngineOptions): readonly FieldViolation[] {
  const { networkOf, sysctls, hostname, dns, extraHosts, persistent } = options;
  if (networkOf === "") return [];
  const own = Object.keys(sysctls).find((name) => name.startsWith("net."));
  const theirs = "does not go with network_of: it has what that one has; leave it out";
  return [
    ...(isId(networkOf)
      ? []
      : [{ field: `${base}.network_of`, description: `${quote(networkOf)} is not the id of an instance` }]),
    ...(own === undefined
      ? []
      : [
          {
            field: `${base}.sysctls`,
            description: `${quote(own)} is one of the network that it joins; set it where that is`,
          },
        ]),
    ...(hostname === "" ? [] : [{ field: `${base}.hostname`, description: theirs }]),
    ...(dns === undefined ? [] : [{ field: `${base}.dns`, description: theirs }]),
    ...(Object.keys(extraHosts).length === 0 ? [] : [{ field: `${base}.extra_hosts`, description: theirs }]),
    ...(persistent
      ? [
          {
            field: `${base}.persistent`,
            description: "does not go with network_of: engines keep a container with the network that it was made in",
          },
        ]
      : []),
  ];
}

function checkImageName(field: string, image: string): readonly FieldViolation[] {
  // Those in image directories are checked where they are opened.
  if (image === microName || image.startsWith(filePrefix)) return [];
  return checkReference(field, image);
}

function checkPull(field: string, { pull, image }: ContainerEngineOptions): readonly FieldViolation[] {
  if (ImagePull[pull] === undefined || pull === ImagePull.UNRECOGNIZED)
    return [{ field, description: `${pull} is none of never, missing and always` }];
  const isLocal = image === microName || image.startsWith(filePrefix);
  if (!isLocal || pull !== ImagePull.IMAGE_PULL_ALWAYS) return [];
  return [{ field, description: `${quote(image)} is on the host already and comes from no registry` }];
}

function checkTmpfs(field: string, tmpfs: Readonly<Record<string, number>>): readonly FieldViolation[] {
  const entries = Object.entries(tmpfs);
  if (entries.length > maxTmpfs) return [{ field, description: `has more than ${maxTmpfs} directories` }];
  return entries.flatMap(([path, mib]) => [
    ...(path === "/" || path === ""
      ? [{ field, description: `${quote(path)} cannot be a directory in memory; name one below the root` }]
      : checkDirectory(field, path)),
    ...(mib >= 1 && mib <= maxTmpfsMib
      ? []
      : [{ field: `${field}[${quote(path)}]`, description: `${mib} MiB is not between 1 and ${maxTmpfsMib}` }]),
  ]);
}

/** What engines could take for more than a path; and what is in both lists of directories in memory. */
function checkMountWords(
  base: string,
  { mounts, devices, tmpfsMib }: ContainerEngineOptions,
): readonly FieldViolation[] {
  return [
    ...mounts.flatMap(({ target, source }, index) => [
      ...(/[:,]/.test(target) ? checkDirectory(`${base}.mounts[${index}].target`, target) : []),
      ...(target in tmpfsMib
        ? [{ field: `${base}.mounts[${index}].target`, description: `${quote(target)} is in tmpfs_mib as well` }]
        : []),
      ...(source?.$case === "tmpfsMib" && source.value > maxTmpfsMib
        ? [{ field: `${base}.mounts[${index}].tmpfs_mib`, description: `${source.value} is more than ${maxTmpfsMib}` }]
        : []),
    ]),
    ...devices.flatMap(({ path, hostPath }, index) =>
      [path, hostPath].some((each) => /[:,]/.test(each))
        ? [{ field: `${base}.devices[${index}].path`, description: 'holds ":" or ","' }]
        : [],
    ),
  ];
}

function checkDirectory(field: string, path: string): readonly FieldViolation[] {
  if (path === "") return [];
  // Engines write some of these as "path:options" or with commas.
  const good = path.startsWith("/") && path.length <= maxPathLength && /^[^\p{C}:,]+$/u.test(path);
  if (good && !path.split("/").includes("..")) return [];
  const description = `${quote(path)} is not an absolute path without "..", ":", "," and control characters`;
  return [{ field, description }];
}

function checkSignal(field: string, signal: string): readonly FieldViolation[] {
  if (signal === "" || signalName(signal) !== undefined) return [];
  return [{ field, description: `${quote(signal)} is not a signal such as "SIGTERM" or "SIGRTMIN+3"` }];
}

/** A signal as engines want it; undefined: there is none of that name. */
export function signalName(text: string): string | undefined {
  const name = text.toUpperCase().startsWith("SIG") ? text.toUpperCase() : `SIG${text.toUpperCase()}`;
  return name in constants.signals || /^SIGRTM(IN\+([1-9]|1[0-5])|AX-([1-9]|1[0-4]))$/.test(name) ? name : undefined;
}

function checkText(
  field: string,
  text: string,
  { pattern, example }: { readonly pattern: RegExp; readonly example: string },
): readonly FieldViolation[] {
  if (text === "" || pattern.test(text)) return [];
  return [{ field, description: `${quote(text)} is not of the form ${quote(example)}` }];
}
