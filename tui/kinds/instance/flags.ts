import { invalidArgument } from "../../../lib/errors.js";
import { type Instance, InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import { parseWhole } from "../../kit/input/key-values.js";
import { parseMemoryMib } from "../../kit/input/memory.js";
import {
  type CommandInput,
  type FlagValues,
  flagText,
  flagTexts,
  isFlagGiven,
  type KindCommands,
} from "../../kit/kind-commands.js";
import { shortName } from "../../kit/resource-name.js";
import { crunFlags } from "./drivers/crun.js";
import type { DriverFlags } from "./drivers/driver-flags.js";
import { dockerFlags, podmanFlags } from "./drivers/engines.js";
import { findOptions, toDriver, withOptions } from "./drivers/options.js";
import { qemuFlags } from "./drivers/qemu.js";
import { lifecycleFlags, readLifecycle } from "./lifecycle-flags.js";
import { filterFlags, filterNote, withFilters } from "./filter-flag.js";
import { parseNic } from "./nic-flag.js";
import { readSchedules, scheduleFlag } from "./schedule-flag.js";
import { setInstance } from "./set-flags.js";

/** Drivers with flags of their own, the first of them the one that is meant when nothing says which; others have --option. */
const drivers: readonly DriverFlags[] = [qemuFlags, crunFlags, dockerFlags, podmanFlags];

/** Each flag once: several drivers may have the same. */
const driverFlags = [...new Map(drivers.flatMap(({ flags }) => flags).map((flag) => [flag.flags, flag])).values()];

/** What the command line can say of instances. */
export const instanceCommands: KindCommands<Instance> = {
  set: setInstance,
  create: {
    description: "Create an instance and start it: a QEMU machine or a container.",
    words: [{ word: "[command...]", help: "after --: what a container runs instead of its default" }],
    flags: [
      {
        flags: "--driver <driver>",
        help: "qemu, crun, docker, podman or another one (default: what the other options need)",
      },
      { flags: "--cpus <count>", help: "virtual CPUs, or CPU limit of a container (default: 1)" },
      { flags: "--memory <size>", help: "such as 256M or 2G (default: 128M)" },
      {
        flags: "--nic <fields>",
        help: "lan=LAN,addr=IP/LEN,mac=MAC,name=NAME, model=MODEL,queues=N, all optional; may be repeated",
        repeatable: true,
      },
      ...filterFlags.slice(0, 1),
      ...driverFlags,
      { flags: "--persistent", help: "keep changes to disks or files over stop and start" },
      {
        flags: "--option <field=value>",
        help: "any option of the driver, such as machine=pc or capabilities.add=SYS_ADMIN; may be repeated",
        repeatable: true,
      },
      ...lifecycleFlags,
      scheduleFlag,
      { flags: "--leave-stopped", help: "do not start it", besides: true },
    ],
    note: filterNote,
    examples: [
      "alpha/vm1 --kernel micro --memory 256M --nic lan=lan1,addr=10.0.0.1/24",
      "alpha/web --image debian.qcow2 --cpus 2 --memory 2G --persistent --nic lan=lan1",
      "alpha/c1 --rootfs micro --nic lan=lan1,addr=10.0.0.2/24 -- /bin/sh -c 'sleep 1d'",
      "alpha/db --image debian.qcow2 --persistent --schedule every=24h,keep=7 --schedule what=backup,at=03:30,incremental",
      "alpha/r1 --rootfs frr --cap-add SYS_ADMIN --sysctl net.ipv4.ip_forward=1 --nic lan=lan1",
      "alpha/d1 --docker-image debian:12 --nic lan=lan1 -- sleep infinity",
      "alpha/old --driver qemu --option machine=pc --image dos.qcow2",
      "-f vm1.yaml",
    ],
    read: (input) => ({ spec: instanceSpec(input) }),
    request: (values) => ({ leaveStopped: values["leaveStopped"] === true }),
    done: ({ name, values }) =>
      `instance ${shortName(name)} ${values["leaveStopped"] === true ? "created, not started" : "created and started"}`,
  },
};

/** The spec that flags describe; words are a container's command. What is not given is left to the agent's defaults. */
export function instanceSpec({ values, words }: Pick<CommandInput, "values" | "words">): InstanceSpec {
  const [cpus, memory] = [flagText(values, "cpus"), flagText(values, "memory")];
  return InstanceSpec.fromPartial({
    cpus: cpus === undefined ? undefined : parseWhole("--cpus", cpus, 1, 1024),
    memoryMib: memory === undefined ? undefined : parseMemoryMib("--memory", memory),
    nics: [...withFilters(flagTexts(values, "nic").map(parseNic), values)],
    ...readLifecycle(values).spec,
    schedules: readSchedules(values) ?? [],
    driver: readDriver(values, words),
  });
}

/** The driver asked for, or the one the other flags need. @throws {ZorError} when flags of two drivers are mixed. */
function readDriver(values: FlagValues, words: readonly string[]): InstanceSpec["driver"] {
  const given = driverFlags
    .filter((flag) => isFlagGiven(values, flag))
    .map(({ flags }) => ({
      flag: flags.split(" ")[0] ?? "",
      owners: drivers.filter((each) => each.flags.some((own) => own.flags === flags)).map(({ driver }) => driver),
    }));
  const telling = given.filter(({ owners }) => owners.length === 1).at(-1) ?? given.at(-1);
  const wanted = flagText(values, "driver") ?? telling?.owners[0] ?? drivers[0]?.driver ?? "";
  const place = findOptions(wanted);
  const stranger = given.find(({ owners }) => !owners.includes(wanted));
  if (stranger !== undefined) throw invalidArgument(stranger.flag, `does not go with the ${wanted} driver`);
  const flags = drivers.find(({ driver }) => driver === wanted);
  if (words.length > 0 && flags?.takesCommand !== true) {
    throw invalidArgument("command", "only containers take a command (--driver crun)");
  }
  // What is read of flags is JSON.
  const described = JSON.parse(JSON.stringify(flags?.read(values, words) ?? {})) as Parameters<typeof withOptions>[1];
  const options = withOptions(place, described, flagTexts(values, "option"));
  flags?.check(options);
  return toDriver(place, options);
}
