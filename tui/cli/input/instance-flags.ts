import { noMeta } from "../../../lib/kinds/meta.js";
import { invalidArgument } from "../../../lib/errors.js";
import { parseId, quote } from "../../../lib/names.js";
import {
  Accelerator,
  type Disk,
  type Instance,
  type InstanceSpec,
  type Nic,
} from "../../../proto/gen/zor/v1/instance.js";
import { parseFields, parsePairs, parseWhole, singleField } from "./key-values.js";
import { parseMemoryMib } from "./memory.js";

/** Options of `zor create instance` that say what the instance should be. */
export interface InstanceFlags {
  readonly driver?: string;
  readonly cpus?: string;
  readonly memory?: string;
  readonly nic: readonly string[];
  readonly kernel?: string;
  readonly initrd?: string;
  readonly append?: string;
  readonly image: readonly string[];
  readonly disk: readonly string[];
  readonly machine?: string;
  readonly accel?: string;
  readonly rootfs?: string;
  readonly env: readonly string[];
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  readonly sysctl: readonly string[];
  readonly persistent?: boolean;
  readonly label: readonly string[];
}

/** The instance that flags describe; `words` is a container's command. What is not given is left to the agent's defaults. */
export function instanceFromFlags(flags: InstanceFlags, words: readonly string[]): Instance {
  return {
    name: "",
    uid: "",
    labels: parsePairs("--label", flags.label),
    spec: {
      cpus: flags.cpus === undefined ? undefined : parseWhole("--cpus", flags.cpus, 1, 1024),
      memoryMib: flags.memory === undefined ? undefined : parseMemoryMib("--memory", flags.memory),
      nics: flags.nic.map(parseNic),
      driver: driverOf(flags, words),
    },
    status: undefined,
    ...noMeta,
    createTime: undefined,
  };
}

/** Parses one --nic: "lan=lan1,addr=10.0.0.1/24,mac=52:54:00:00:00:01,name=eth0". */
export function parseNic(text: string): Nic {
  const fields = parseFields("--nic", text, ["lan", "addr", "mac", "name"]);
  const lan = singleField("--nic", fields, "lan") ?? "";
  return {
    name: singleField("--nic", fields, "name") ?? "",
    lan: lan === "" ? "" : parseId("--nic lan", lan),
    mac: singleField("--nic", fields, "mac") ?? "",
    addresses: fields.get("addr") ?? [],
    port: "",
    deviceAddress: "",
  };
}

function driverOf(flags: InstanceFlags, words: readonly string[]): NonNullable<InstanceSpec["driver"]> {
  const driver = chooseDriver(flags);
  if (driver === "crun") {
    return {
      $case: "crun",
      value: {
        rootfs: flags.rootfs ?? "",
        command: [...words],
        environment: parsePairs("--env", flags.env),
        persistent: flags.persistent === true,
        capabilities:
          flags.capAdd.length + flags.capDrop.length === 0
            ? undefined
            : { add: [...flags.capAdd], drop: [...flags.capDrop] },
        sysctls: parsePairs("--sysctl", flags.sysctl),
      },
    };
  }
  if (words.length > 0) throw invalidArgument("command", "only containers take a command (--driver crun)");
  return {
    $case: "qemu",
    value: {
      machine: flags.machine ?? "",
      accelerator: parseAccelerator(flags.accel),
      kernel: flags.kernel ?? "",
      initrd: flags.initrd ?? "",
      kernelArguments: flags.append ?? "",
      disks: [
        ...flags.image.map((image) => ({
          image,
          persistent: flags.persistent === true,
          sizeMib: 0n,
          deviceAddress: "",
        })),
        ...flags.disk.map((text) => parseDisk(text, flags.persistent === true)),
      ],
    },
  };
}

/** The driver asked for, or the one the other flags need. @throws {ZorError} when flags of two drivers are mixed. */
function chooseDriver(flags: InstanceFlags): "qemu" | "crun" {
  const forQemu = Object.entries({
    "--kernel": flags.kernel,
    "--initrd": flags.initrd,
    "--append": flags.append,
    "--machine": flags.machine,
    "--accel": flags.accel,
    "--image": flags.image[0],
    "--disk": flags.disk[0],
  }).find(([, value]) => value !== undefined)?.[0];
  const forCrun = Object.entries({
    "--rootfs": flags.rootfs,
    "--env": flags.env[0],
    "--cap-add": flags.capAdd[0],
    "--cap-drop": flags.capDrop[0],
    "--sysctl": flags.sysctl[0],
  }).find(([, value]) => value !== undefined)?.[0];
  const { driver } = flags;
  if (driver !== undefined && driver !== "qemu" && driver !== "crun") {
    throw invalidArgument("--driver", `${quote(driver)} is not a driver; the drivers are qemu and crun`);
  }
  const wanted = driver ?? (forCrun === undefined ? "qemu" : "crun");
  const stranger = wanted === "qemu" ? forCrun : forQemu;
  if (stranger !== undefined) throw invalidArgument(stranger, `does not go with the ${wanted} driver`);
  if (wanted === "crun" && flags.rootfs === undefined) {
    throw invalidArgument("--rootfs", "a container needs one; --rootfs micro is the built-in one");
  }
  if (wanted === "qemu" && flags.kernel === undefined && flags.image.length === 0 && flags.disk.length === 0) {
    throw invalidArgument(
      "--kernel",
      "a machine needs --image FILE, --disk or --kernel; --kernel micro is the built-in one",
    );
  }
  return wanted;
}

function parseAccelerator(text: string | undefined): Accelerator {
  if (text === undefined) return Accelerator.ACCELERATOR_UNSPECIFIED;
  if (text === "kvm") return Accelerator.ACCELERATOR_KVM;
  if (text === "tcg") return Accelerator.ACCELERATOR_TCG;
  throw invalidArgument("--accel", `${quote(text)} is neither kvm nor tcg`);
}

function parseDisk(text: string, persistent: boolean): Disk {
  const fields = parseFields("--disk", text, ["image", "persistent", "size"]);
  const size = singleField("--disk", fields, "size");
  const keep = singleField("--disk", fields, "persistent");
  if (keep !== undefined && keep !== "true" && keep !== "false") {
    throw invalidArgument("--disk", `persistent=${quote(keep)} is neither true nor false`);
  }
  return {
    image: singleField("--disk", fields, "image") ?? "",
    persistent: keep === undefined ? persistent : keep === "true",
    sizeMib: size === undefined ? 0n : parseMemoryMib("--disk size", size),
    deviceAddress: "",
  };
}
