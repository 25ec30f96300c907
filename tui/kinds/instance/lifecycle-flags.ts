import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { listed } from "../../../lib/words.js";
import {
  BootStart,
  HostBoot,
  HostShutdown,
  type InstanceSpec,
  RestartMode,
  RestartPolicy,
  ShutdownAction,
} from "../../../proto/gen/zor/v1/instance.js";
import { parseFields, parseWhole, singleField } from "../../kit/input/key-values.js";
import { type Flag, type FlagValues, flagText } from "../../kit/kind-commands.js";

/** Flags about when an instance is started and ended by itself. */
export const lifecycleFlags: readonly Flag[] = [
  {
    flags: "--restart <when>",
    help: "never, on-failure or always; then, optionally, max=, delay=, longest=, reset= (seconds), as in always,max=5,delay=2 (default: never)",
  },
  { flags: "--boot-start <when>", help: "when the host has booted: never, always or last-state (default: never)" },
  { flags: "--boot-order <number>", help: "lower ones start first and end last, -1000 to 1000 (default: 0)" },
  { flags: "--boot-delay <seconds>", help: "wait this long after its start before the next order (default: 0)" },
  {
    flags: "--host-shutdown <action>",
    help: "when the host shuts down: shutdown, stop, suspend or none; then, optionally, grace= (seconds), as in shutdown,grace=60 (the default)",
  },
  { flags: "--protect", help: "it cannot be deleted until this is taken away" },
];

/** The parts of a spec that those flags say, and the paths of those that are given, below "spec". */
export function readLifecycle(values: FlagValues): {
  readonly spec: Pick<InstanceSpec, "restart" | "hostBoot" | "hostShutdown" | "deleteProtection">;
  readonly paths: readonly string[];
} {
  const [restart, start] = [flagText(values, "restart"), flagText(values, "bootStart")];
  const [order, delay] = [flagText(values, "bootOrder"), flagText(values, "bootDelay")];
  const shutdown = flagText(values, "hostShutdown");
  const protect = values["protect"];
  const hasBoot = start !== undefined || order !== undefined || delay !== undefined;
  return {
    spec: {
      restart: restart === undefined ? undefined : parseRestart(restart),
      hostBoot: !hasBoot
        ? undefined
        : HostBoot.fromPartial({
            start: start === undefined ? 0 : word("--boot-start", start, bootStarts),
            order: order === undefined ? 0 : parseOrder(order),
            delaySeconds: delay === undefined ? 0 : parseWhole("--boot-delay", delay, 0, 3600),
          }),
      hostShutdown: shutdown === undefined ? undefined : parseShutdown(shutdown),
      deleteProtection: protect === true,
    },
    paths: [
      ...(restart === undefined ? [] : ["restart"]),
      ...(start === undefined ? [] : ["host_boot.start"]),
      ...(order === undefined ? [] : ["host_boot.order"]),
      ...(delay === undefined ? [] : ["host_boot.delay_seconds"]),
      ...(shutdown === undefined ? [] : ["host_shutdown"]),
      ...(protect === undefined ? [] : ["delete_protection"]),
    ],
  };
}

const restartModes = {
  never: RestartMode.RESTART_MODE_NEVER,
  "on-failure": RestartMode.RESTART_MODE_ON_FAILURE,
  always: RestartMode.RESTART_MODE_ALWAYS,
} as const;

const bootStarts = {
  never: BootStart.BOOT_START_NEVER,
  always: BootStart.BOOT_START_ALWAYS,
  "last-state": BootStart.BOOT_START_LAST_STATE,
} as const;

const shutdownActions = {
  shutdown: ShutdownAction.SHUTDOWN_ACTION_SHUTDOWN,
  stop: ShutdownAction.SHUTDOWN_ACTION_STOP,
  suspend: ShutdownAction.SHUTDOWN_ACTION_SUSPEND,
  none: ShutdownAction.SHUTDOWN_ACTION_NONE,
} as const;

function parseRestart(text: string): RestartPolicy {
  const [mode = "", ...rest] = text.split(",");
  const fields = parseRest("--restart", rest, ["max", "delay", "longest", "reset"]);
  const seconds = (key: string, most: number) => whole("--restart", fields, { key, most });
  return RestartPolicy.fromPartial({
    mode: word("--restart", mode, restartModes),
    maxRestarts: seconds("max", 1_000_000),
    minDelaySeconds: seconds("delay", 3600),
    maxDelaySeconds: seconds("longest", 86_400),
    resetAfterSeconds: seconds("reset", 86_400),
  });
}

function parseShutdown(text: string): HostShutdown {
  const [action = "", ...rest] = text.split(",");
  const fields = parseRest("--host-shutdown", rest, ["grace"]);
  return HostShutdown.fromPartial({
    action: word("--host-shutdown", action, shutdownActions),
    graceSeconds: whole("--host-shutdown", fields, { key: "grace", most: 3600 }),
  });
}

function parseRest(option: string, parts: readonly string[], keys: readonly string[]): Map<string, string[]> {
  return parts.length === 0 ? new Map() : parseFields(option, parts.join(","), keys);
}

function whole(
  option: string,
  fields: Map<string, string[]>,
  { key, most }: { readonly key: string; readonly most: number },
): number {
  const text = singleField(option, fields, key);
  return text === undefined ? 0 : parseWhole(`${option} ${key}`, text, 1, most);
}

function parseOrder(text: string): number {
  const value = /^-?\d{1,4}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= -1000 && value <= 1000) return value;
  throw invalidArgument("--boot-order", `${quote(text)} is not a whole number from -1000 to 1000`);
}

function word<T extends number>(option: string, text: string, words: Readonly<Record<string, T>>): T {
  const value = Object.hasOwn(words, text) ? words[text] : undefined;
  if (value !== undefined) return value;
  throw invalidArgument(option, `${quote(text)} is none of ${listed(Object.keys(words), undefined, "and")}`);
}
