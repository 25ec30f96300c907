import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { listed } from "../../../lib/words.js";
import type { Instance, Nic } from "../../../proto/gen/zor/v1/instance.js";
import { PortSettings } from "../../../proto/gen/zor/v1/port.js";
import type { Spice } from "../../../proto/gen/zor/v1/qemu.js";
import { parseWhole } from "../../kit/input/key-values.js";
import { parseMemoryMib } from "../../kit/input/memory.js";
import { type Change, type CommandInput, flagText, flagTexts, type SetCommand } from "../../kit/kind-commands.js";
import { shortName } from "../../kit/resource-name.js";
import { lifecycleFlags, readLifecycle } from "./lifecycle-flags.js";
import { readBalloonFlag, readSpice, screenFlags } from "./drivers/qemu-hardware.js";
import { filterFlags, filterNote, saysFilter, withFilters } from "./filter-flag.js";
import { parseNic, parsePort } from "./nic-flag.js";
import { portHelp } from "../../kit/input/port-settings-flag.js";
import { readSchedules, scheduleFlag } from "./schedule-flag.js";
import { pendingText } from "./states.js";

/** What `zor set instance` can say. */
export const setInstance: SetCommand<Instance> = {
  description:
    "Change an instance. What it can change while it runs is changed at once; the rest at its next start, and it is said which.",
  flags: [
    { flags: "--cpus <count>", help: "virtual CPUs, or CPU limit of a container" },
    { flags: "--memory <size>", help: "such as 256M or 2G" },
    { flags: "--balloon <size>", help: "what a machine's balloon leaves of the memory: 512M or all" },
    ...screenFlags,
    { flags: "--no-spice", help: "qemu: its screen is shown by VNC alone" },
    {
      flags: "--nic <fields>",
      help: "all interfaces anew: lan=LAN,addr=IP/LEN,mac=MAC,name=NAME; may be repeated",
      repeatable: true,
    },
    { flags: "--add-nic <fields>", help: "one more interface; may be repeated", repeatable: true },
    { flags: "--remove-nic <name>", help: "one interface less; may be repeated", repeatable: true },
    {
      flags: "--port <fields>",
      help: `what an interface's lan does with its frames: NAME,${portHelp}; NAME alone: it forwards them; may be repeated`,
      repeatable: true,
    },
    ...filterFlags,
    ...lifecycleFlags,
    { ...scheduleFlag, help: `all schedules anew: ${scheduleFlag.help}` },
    { flags: "--no-protect", help: "it can be deleted again" },
  ],
  note: `Any other field goes by its name in the API, such as spec.qemu.machine=pc. A change that cannot be made says what to do instead.\n${filterNote}`,
  examples: [
    "alpha/vm1 --cpus 4 --memory 2G",
    "alpha/vm1 --add-nic lan=lan2",
    "alpha/vm1 --port eth0,vlan=10",
    "alpha/vm1 --filter-rule 'in default drop' --filter-rule 'in allow tcp 22,80 from 10.0.0.0/8'",
    "alpha/vm1 --restart on-failure,max=5 --boot-start last-state",
    "alpha/vm1 --protect",
    "alpha/vm1 --schedule every=24h,keep=7,what=snapshot",
    "alpha/c1 --remove-nic eth1",
  ],
  read: readChange,
  done: ({ name, resource }) => {
    const pending = pendingText(resource?.status);
    return `instance ${shortName(name)} changed${pending === "" ? "" : `; ${pending}`}`;
  },
};

async function readChange(input: CommandInput): Promise<Change> {
  const { values } = input;
  const [cpus, memory] = [flagText(values, "cpus"), flagText(values, "memory")];
  const machine = await readMachine(input);
  const lifecycle = readLifecycle(values);
  const nics = await readNics(input);
  const schedules = readSchedules(values);
  const paths = [
    ...(cpus === undefined ? [] : ["cpus"]),
    ...(memory === undefined ? [] : ["memory_mib"]),
    ...machine.paths,
    ...(nics === undefined ? [] : ["nics"]),
    ...(schedules === undefined ? [] : ["schedules"]),
    ...lifecycle.paths,
  ];
  return {
    resource: {
      spec: {
        ...(cpus === undefined ? {} : { cpus: parseWhole("--cpus", cpus, 1, 1024) }),
        ...(memory === undefined ? {} : { memoryMib: parseMemoryMib("--memory", memory) }),
        ...(machine.paths.length === 0 ? {} : { driver: { $case: "qemu", value: machine.options } }),
        ...(nics === undefined ? {} : { nics: nics.nics }),
        ...(schedules === undefined ? {} : { schedules }),
        ...lifecycle.spec,
      },
    },
    paths: paths.map((path) => `spec.${path}`),
    ...(nics?.etag === undefined ? {} : { etag: nics.etag }),
  };
}

/** What is said of a machine's balloon and screen, as options and as paths below the spec. @throws {ZorError} */
async function readMachine(
  input: CommandInput,
): Promise<{ readonly options: object; readonly paths: readonly string[] }> {
  const { values } = input;
  const [balloon, display] = [flagText(values, "balloon"), flagText(values, "display")];
  const asked = values["spice"] === false ? undefined : readSpice(values);
  const hasRedirections = flagText(values, "usbRedirections") !== undefined;
  if (values["spice"] === false && hasRedirections) {
    throw invalidArgument("--usb-redirections", "are of SPICE; they do not go with --no-spice");
  }
  const paths = [
    ...(balloon === undefined ? [] : ["qemu.memory.balloon", "qemu.memory.balloon_mib"]),
    ...(display === undefined ? [] : ["qemu.display"]),
    ...(hasRedirections ? ["qemu.spice.usb_redirections"] : values["spice"] === undefined ? [] : ["qemu.spice"]),
  ];
  // What it has already stays.
  const spice = asked === undefined || hasRedirections ? asked : (spiceOf(await input.current()) ?? asked);
  const options = {
    ...(balloon === undefined ? {} : { memory: balloonOf(balloon) }),
    ...(display === undefined ? {} : { display }),
    ...(spice === undefined ? {} : { spice }),
  };
  return { options, paths };
}

function spiceOf(instance: Partial<Instance>): Spice | undefined {
  const { driver } = instance.spec ?? {};
  return driver?.$case === "qemu" ? driver.value.spice : undefined;
}

/** What `--balloon` says of a machine's memory. @throws {ZorError} */
function balloonOf(given: string): { readonly balloon: boolean; readonly balloonMib: bigint } {
  const { balloonMib = "0" } = readBalloonFlag(given);
  return { balloon: true, balloonMib: BigInt(balloonMib) };
}

/** The interfaces as they are to be; undefined: nothing is said of them. */
async function readNics(
  input: CommandInput,
): Promise<{ readonly nics: readonly Nic[]; readonly etag?: string } | undefined> {
  const { values } = input;
  const [all, added] = [flagTexts(values, "nic").map(parseNic), flagTexts(values, "addNic").map(parseNic)];
  const removed = flagTexts(values, "removeNic");
  if (all.length > 0 && added.length + removed.length > 0) {
    throw invalidArgument("--nic", "says all interfaces; it does not go with --add-nic and --remove-nic");
  }
  const ports = flagTexts(values, "port").map(parsePort);
  if (all.length > 0 && ports.length > 0) throw invalidArgument("--port", "does not go with --nic, which says it too");
  const hasFilter = saysFilter(values);
  if (all.length > 0) return { nics: hasFilter ? withFilters(all, values) : all };
  if (added.length + removed.length + ports.length === 0 && !hasFilter) return undefined;
  const { spec, etag } = (await input.current()) as Instance;
  const before = spec?.nics ?? [];
  const names = before.map(({ name }) => name);
  const stranger = removed.find((name) => !names.includes(name));
  if (stranger !== undefined) {
    throw invalidArgument(
      "--remove-nic",
      `${quote(stranger)} is no interface of it; it has ${listed(names) || "none"}`,
    );
  }
  const missing = ports.find(({ nic }) => !names.includes(nic) || removed.includes(nic));
  if (missing !== undefined) {
    throw invalidArgument("--port", `${quote(missing.nic)} is no interface of it; it has ${listed(names) || "none"}`);
  }
  const kept = before
    .filter(({ name }) => !removed.includes(name))
    .map((nic) => {
      const port = ports.find((one) => one.nic === nic.name);
      return port === undefined ? nic : { ...nic, portSettings: withFilterOf(nic, port.settings) };
    });
  const nics = [...kept, ...named(added, kept)];
  return { nics: hasFilter ? withFilters(nics, values) : nics, etag };
}

/** A filter is not said with the other settings of a port, and stays. */
function withFilterOf({ portSettings }: Nic, settings: PortSettings | undefined): PortSettings | undefined {
  const filter = portSettings?.filter;
  return filter === undefined ? settings : { ...(settings ?? PortSettings.create()), filter };
}

/** New interfaces with names that are free: the agent names them by their place, where another one may have the name. */
function named(added: readonly Nic[], kept: readonly Nic[]): readonly Nic[] {
  const taken = new Set([...kept, ...added].map(({ name }) => name));
  return added.map((nic) => {
    if (nic.name !== "") return nic;
    let index = kept.length;
    while (taken.has(`eth${index}`)) index += 1;
    taken.add(`eth${index}`);
    return { ...nic, name: `eth${index}` };
  });
}
