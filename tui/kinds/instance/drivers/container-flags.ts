import { invalidArgument } from "../../../../lib/errors.js";
import { quote } from "../../../../lib/names.js";
import { parseDurationMs } from "../../../kit/input/durations.js";
import { parseFields, parsePairs, parseWhole, singleField } from "../../../kit/input/key-values.js";
import { parseMemoryMib } from "../../../kit/input/memory.js";
import { parseBytesPerSecond } from "../../../kit/input/rate.js";
import { type Flag, type FlagValues, flagText, flagTexts } from "../../../kit/kind-commands.js";

/** Flags of every driver of containers. */
export const containerFlags: readonly Flag[] = [
  { flags: "--env <key=value>", help: "containers: environment of the command; may be repeated", repeatable: true },
  {
    flags: "--cap-add <name>",
    help: "containers: a capability more; most need the agent's permission; may be repeated",
    repeatable: true,
  },
  {
    flags: "--cap-drop <name>",
    help: "containers: a capability less; ALL is every default one; may be repeated",
    repeatable: true,
  },
  {
    flags: "--sysctl <name=value>",
    help: "containers: of the container's own namespaces; may be repeated",
    repeatable: true,
  },
  {
    flags: "--entrypoint <word>",
    help: "containers: program before the command's words, instead of the image's; may be repeated, '' is none",
    repeatable: true,
  },
  { flags: "--workdir <path>", help: "containers: directory the command starts in" },
  { flags: "--user <user>", help: "containers: whose the command is: NAME, UID or UID:GID" },
  { flags: "--hostname <name>", help: "containers: its name for itself (default: the instance's)" },
  { flags: "--dns <ip>", help: "containers: name server; may be repeated", repeatable: true },
  { flags: "--dns-search <domain>", help: "containers: where names are looked for; may be repeated", repeatable: true },
  { flags: "--add-host <name=ip>", help: "containers: a name in /etc/hosts; may be repeated", repeatable: true },
  {
    flags: "--mount <fields>",
    help: "containers: host=PATH,at=PATH,ro of what the agent allows of the host; may be repeated",
    repeatable: true,
  },
  { flags: "--tmpfs <path=size>", help: "containers: memory mounted there; may be repeated", repeatable: true },
  {
    flags: "--device <path>",
    help: "containers: a device of the host that the agent allows; may be repeated",
    repeatable: true,
  },
  { flags: "--read-only", help: "containers: nothing but mounts can be written" },
  { flags: "--privileged", help: "containers: without walls; needs the agent's permission" },
  { flags: "--memory-swap <size>", help: "containers: swap besides the memory; 0 is none" },
  { flags: "--pids-limit <count>", help: "containers: processes and threads (default: 4096)" },
  { flags: "--cpuset <list>", help: "containers: CPUs it may run on, such as 0-2,5" },
  { flags: "--network-of <instance>", help: "containers: one of the same host whose network it joins" },
  { flags: "--io-weight <share>", help: "containers: share of the disk's time, 1 to 10000 (default: 100)" },
  { flags: "--read-bps <size>", help: "containers: bytes a second read from the disk at most, such as 10M" },
  { flags: "--write-bps <size>", help: "containers: bytes a second written to the disk at most" },
  { flags: "--read-iops <count>", help: "containers: reads a second from the disk at most" },
  { flags: "--write-iops <count>", help: "containers: writes a second to the disk at most" },
  { flags: "--health-cmd <line>", help: "containers: shell line that ends with 0 while all is well" },
  { flags: "--health-interval <time>", help: "containers: between checks (default: 30s)" },
  { flags: "--health-timeout <time>", help: "containers: after which a check has failed (default: 30s)" },
  { flags: "--health-retries <count>", help: "containers: failures in a row that make it unhealthy (default: 3)" },
  { flags: "--health-start-period <time>", help: "containers: in which failures do not count" },
  { flags: "--health-end", help: "containers: end it when it is unhealthy; its restart policy says what follows" },
];

/** The capabilities that flags add and take away. */
function readCapabilities(values: FlagValues): {
  readonly capabilities?: { readonly add: readonly string[]; readonly drop: readonly string[] };
} {
  const [add, drop] = [flagTexts(values, "capAdd"), flagTexts(values, "capDrop")];
  return add.length + drop.length === 0 ? {} : { capabilities: { add, drop } };
}

/** What is called the same in the options of every driver of containers. */
export function readContainer(values: FlagValues): Readonly<Record<string, unknown>> {
  const [servers, search] = [flagTexts(values, "dns"), flagTexts(values, "dnsSearch")];
  return {
    environment: parsePairs("--env", flagTexts(values, "env")),
    persistent: values["persistent"] === true,
    ...readCapabilities(values),
    sysctls: parsePairs("--sysctl", flagTexts(values, "sysctl")),
    entrypoint: flagTexts(values, "entrypoint"),
    ...flagField(values, "workdir", "workingDirectory"),
    ...flagField(values, "user", "user"),
    ...flagField(values, "hostname", "hostname"),
    ...flagField(values, "networkOf", "networkOf"),
    ...(servers.length + search.length === 0 ? {} : { dns: { servers, search } }),
    extraHosts: parsePairs("--add-host", flagTexts(values, "addHost")),
    devices: flagTexts(values, "device").map((hostPath) => ({ hostPath })),
    readOnlyRoot: values["readOnly"] === true,
    privileged: values["privileged"] === true,
    ...healthOf(values),
  };
}

/** What of the host is mounted inside. */
export function readMounts(values: FlagValues): readonly object[] {
  return flagTexts(values, "mount").map(parseMount);
}

/** A flag's text as a field of that name; nothing when it is not given. */
export function flagField(values: FlagValues, flag: string, field: string): Readonly<Record<string, string>> {
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

/** What is memory inside, as mounts. */
export function readTmpfs(values: FlagValues): readonly { readonly target: string; readonly tmpfsMib: string }[] {
  return Object.entries(parsePairs("--tmpfs", flagTexts(values, "tmpfs"))).map(([target, size]) => ({
    target,
    tmpfsMib: `${parseMemoryMib("--tmpfs", size)}`,
  }));
}

/** What it may use besides CPUs and memory. */
export function readSize(values: FlagValues): {
  readonly swapMib?: string;
  readonly pids?: number;
  readonly cpuset?: string;
} {
  const [swap, pids] = [flagText(values, "memorySwap"), flagText(values, "pidsLimit")];
  return {
    ...(swap === undefined ? {} : { swapMib: swap === "0" ? "0" : `${parseMemoryMib("--memory-swap", swap)}` }),
    ...(pids === undefined ? {} : { pids: parseWhole("--pids-limit", pids, 1, 4_194_304) }),
    ...flagField(values, "cpuset", "cpuset"),
  };
}

/** What it may have of the host's disk. */
export function readTraffic(values: FlagValues): Readonly<Record<string, number | string>> {
  const of = <T>(flag: string, read: (text: string) => T): T | undefined => {
    const text = flagText(values, flag);
    return text === undefined ? undefined : read(text);
  };
  const count = (option: string) => (text: string) => `${parseWhole(option, text, 1, Number.MAX_SAFE_INTEGER)}`;
  const rate = (option: string) => (text: string) => `${parseBytesPerSecond(option, text)}`;
  const said = {
    ioWeight: of("ioWeight", (text) => parseWhole("--io-weight", text, 1, 10_000)),
    readBytesPerSecond: of("readBps", rate("--read-bps")),
    writeBytesPerSecond: of("writeBps", rate("--write-bps")),
    readOperationsPerSecond: of("readIops", count("--read-iops")),
    writeOperationsPerSecond: of("writeIops", count("--write-iops")),
  };
  return Object.fromEntries(
    Object.entries(said).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
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
