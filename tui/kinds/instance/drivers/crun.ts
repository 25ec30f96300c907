import { invalidArgument } from "../../../../lib/errors.js";
import { quote } from "../../../../lib/names.js";
import { parseDurationMs } from "../../../kit/input/durations.js";
import { parseFields, parsePairs, parseWhole, singleField } from "../../../kit/input/key-values.js";
import { parseMemoryMib } from "../../../kit/input/memory.js";
import { type FlagValues, flagText, flagTexts } from "../../../kit/kind-commands.js";
import { containerFlags, readCapabilities } from "./container-flags.js";
import type { DriverFlags } from "./driver-flags.js";

/** Flags for containers. */
export const crunFlags: DriverFlags = {
  driver: "crun",
  takesCommand: true,
  flags: [
    {
      flags: "--rootfs <path>",
      help: "crun: directory, tar or zip archive, docker save archive or OCI layout; micro is the built-in one",
    },
    ...containerFlags,
    {
      flags: "--entrypoint <word>",
      help: "crun: program before the command's words, instead of the image's; may be repeated, '' is none",
      repeatable: true,
    },
    { flags: "--workdir <path>", help: "crun: directory the command starts in" },
    { flags: "--user <user>", help: "crun: whose the command is: NAME, UID or UID:GID" },
    { flags: "--hostname <name>", help: "crun: its name for itself (default: the instance's)" },
    { flags: "--dns <ip>", help: "crun: name server; may be repeated", repeatable: true },
    { flags: "--dns-search <domain>", help: "crun: where names are looked for; may be repeated", repeatable: true },
    { flags: "--add-host <name=ip>", help: "crun: a name in /etc/hosts; may be repeated", repeatable: true },
    {
      flags: "--mount <fields>",
      help: "crun: host=PATH,at=PATH,ro of what the agent allows of the host; may be repeated",
      repeatable: true,
    },
    { flags: "--tmpfs <path=size>", help: "crun: memory mounted there; may be repeated", repeatable: true },
    {
      flags: "--device <path>",
      help: "crun: a device of the host that the agent allows; may be repeated",
      repeatable: true,
    },
    { flags: "--network-of <instance>", help: "crun: a container of the same host whose network it joins" },
    { flags: "--read-only", help: "crun: nothing but mounts can be written" },
    { flags: "--privileged", help: "crun: without walls; needs the agent's permission" },
    { flags: "--userns", help: "crun: with users of its own; root inside is nobody outside" },
    { flags: "--init <kind>", help: "crun: systemd, for what needs that as first process" },
    { flags: "--memory-swap <size>", help: "crun: swap besides the memory; 0 is none" },
    { flags: "--pids-limit <count>", help: "crun: processes and threads (default: 4096)" },
    { flags: "--cpuset <list>", help: "crun: CPUs it may run on, such as 0-2,5" },
    { flags: "--health-cmd <line>", help: "crun: shell line that ends with 0 while all is well" },
    { flags: "--health-interval <time>", help: "crun: between checks (default: 30s)" },
    { flags: "--health-timeout <time>", help: "crun: after which a check has failed (default: 30s)" },
    { flags: "--health-retries <count>", help: "crun: failures in a row that make it unhealthy (default: 3)" },
    { flags: "--health-start-period <time>", help: "crun: in which failures do not count" },
    { flags: "--health-end", help: "crun: end it when it is unhealthy; its restart policy says what follows" },
  ],
  read: (values, words) => {
    const [servers, search] = [flagTexts(values, "dns"), flagTexts(values, "dnsSearch")];
    return {
      ...text(values, "rootfs", "rootfs"),
      command: words,
      environment: parsePairs("--env", flagTexts(values, "env")),
      persistent: values["persistent"] === true,
      ...readCapabilities(values),
      sysctls: parsePairs("--sysctl", flagTexts(values, "sysctl")),
      entrypoint: flagTexts(values, "entrypoint"),
      ...text(values, "workdir", "workingDirectory"),
      ...text(values, "user", "user"),
      ...text(values, "hostname", "hostname"),
      ...(servers.length + search.length === 0 ? {} : { dns: { servers, search } }),
      extraHosts: parsePairs("--add-host", flagTexts(values, "addHost")),
      mounts: [...flagTexts(values, "mount").map(parseMount), ...parseTmpfs(flagTexts(values, "tmpfs"))],
      devices: flagTexts(values, "device").map((hostPath) => ({ hostPath })),
      readOnlyRoot: values["readOnly"] === true,
      privileged: values["privileged"] === true,
      userNamespace: values["userns"] === true,
      ...text(values, "init", "init"),
      ...text(values, "networkOf", "networkOf"),
      ...limitsOf(values),
      ...healthOf(values),
    };
  },
  check: ({ rootfs }) => {
    if (rootfs !== undefined) return;
    throw invalidArgument("--rootfs", "a container needs one; --rootfs micro is the built-in one");
  },
};

function text(values: FlagValues, flag: string, field: string): Readonly<Record<string, string>> {
  const value = flagText(values, flag);
  return value === undefined ? {} : { [field]: value };
}

/** Parses one --mount: "host=/srv/lab,at=/data,ro". */
function parseMount(given: string): object {
  const fields = parseFields("--mount", given, ["host", "at", "ro"]);
  const [hostPath, target] = [singleField("--mount", fields, "host"), singleField("--mount", fields, "at")];
  if (hostPath === undefined || target === undefined) {
    throw invalidArgument("--mount", `${quote(given)} lacks host=PATH or at=PATH`);
  }
  const readOnly = singleField("--mount", fields, "ro") ?? "false";
  if (readOnly !== "true" && readOnly !== "false") {
    throw invalidArgument("--mount", `ro=${quote(readOnly)} is neither true nor false`);
  }
  return { hostPath, target, readOnly: readOnly === "true" };
}

function parseTmpfs(given: readonly string[]): readonly object[] {
  return Object.entries(parsePairs("--tmpfs", given)).map(([target, size]) => ({
    target,
    tmpfsMib: `${parseMemoryMib("--tmpfs", size)}`,
  }));
}

function limitsOf(values: FlagValues): object {
  const [swap, pids] = [flagText(values, "memorySwap"), flagText(values, "pidsLimit")];
  const limits = {
    ...(swap === undefined ? {} : { swapMib: swap === "0" ? "0" : `${parseMemoryMib("--memory-swap", swap)}` }),
    ...(pids === undefined ? {} : { pids: parseWhole("--pids-limit", pids, 1, 4_194_304) }),
    ...text(values, "cpuset", "cpuset"),
  };
  return Object.keys(limits).length === 0 ? {} : { limits };
}

function healthOf(values: FlagValues): object {
  const line = flagText(values, "healthCmd");
  const more = ["healthInterval", "healthTimeout", "healthRetries", "healthStartPeriod"] as const;
  if (line === undefined) {
    if (values["healthEnd"] !== true && more.every((name) => flagText(values, name) === undefined)) return {};
    throw invalidArgument("--health-cmd", "is not given, and the other flags of health checks say nothing without it");
  }
  const retries = flagText(values, "healthRetries");
  return {
    healthCheck: {
      command: ["/bin/sh", "-c", line],
      ...time(values, "healthInterval", "--health-interval", "interval"),
      ...time(values, "healthTimeout", "--health-timeout", "timeout"),
      ...time(values, "healthStartPeriod", "--health-start-period", "startPeriod"),
      ...(retries === undefined ? {} : { retries: parseWhole("--health-retries", retries, 1, 100) }),
      endWhenUnhealthy: values["healthEnd"] === true,
    },
  };
}

function time(values: FlagValues, name: string, flag: string, field: string): Readonly<Record<string, string>> {
  const value = flagText(values, name);
  return value === undefined ? {} : { [field]: `${parseDurationMs(flag, value) / 1000}s` };
}
