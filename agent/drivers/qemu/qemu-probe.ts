import { failedPrecondition, type ZorError } from "../../../lib/errors.js";
import type { Disk } from "../../../proto/gen/zor/v1/qemu.js";
import { run } from "../../host/exec.js";
import { findQemuVersion } from "./fingerprint.js";
import { asObject, objectsIn, parseObject, textOf } from "./json.js";
import { qemuProgram } from "./program.js";
import { toldOf } from "../../host/told.js";

/** What the installed QEMU can. */
interface QemuAbilities {
  /** Device models, "virtio-net-pci". */
  readonly devices: ReadonlySet<string>;
  /** Ways of reading and writing files: "threads", "native", "io_uring". */
  readonly io: ReadonlySet<string>;
  /** It shows screens by SPICE, and takes USB devices over it. */
  readonly spice: boolean;
}

/** Asked once for each version that is installed: it may be upgraded while the agent runs. */
const known = new Map<string, Promise<QemuAbilities>>();

/** @throws {ZorError} FAILED_PRECONDITION when the host's QEMU cannot read and write as the disk wants it. */
export async function assertHasIo({ io }: Pick<Disk, "io">, index: number, signal: AbortSignal): Promise<void> {
  if (io === "" || io === "threads" || (await findAbilities(signal)).io.has(io)) return;
  throw lacking(`instance.spec.qemu.disks[${index}].io`, `${io} for disks`, 'leave it empty to use "threads"');
}

/** @throws {ZorError} FAILED_PRECONDITION when the host's QEMU has no such device. */
export async function assertHasDevice(field: string, device: string, signal: AbortSignal): Promise<void> {
  if ((await findAbilities(signal)).devices.has(device)) return;
  throw lacking(field, `a device ${device}`, 'use another model, such as "virtio" or "e1000"');
}

/** Why no machine of this host can have SPICE; undefined: it can. Never throws. */
export async function findSpiceProblem(signal: AbortSignal): Promise<string | undefined> {
  try {
    return (await findAbilities(signal)).spice ? undefined : spiceProblem;
  } catch (error) {
    return toldOf(error);
  }
}

const spiceProblem =
  "the QEMU of the host has no SPICE; install it with: apt-get install qemu-system-modules-spice (Debian 12: qemu-system-common)";

/** @throws {ZorError} FAILED_PRECONDITION when the host's QEMU has no SPICE. */
export async function assertHasSpice(signal: AbortSignal): Promise<void> {
  if ((await findAbilities(signal)).spice) return;
  // A package beside QEMU's own, which may have come since it was asked.
  known.clear();
  if ((await findAbilities(signal)).spice) return;
  const field = "instance.spec.qemu.spice";
  throw failedPrecondition("QEMU_LACKS", field, `${field}: ${spiceProblem}; or leave it unset to use VNC`);
}

function lacking(field: string, what: string, remedy: string): ZorError {
  return failedPrecondition("QEMU_LACKS", field, `${field}: the QEMU of the host has not got ${what}; ${remedy}`);
}

async function findAbilities(signal: AbortSignal): Promise<QemuAbilities> {
  const qemu = await findQemuVersion(signal);
  if ("missing" in qemu) throw failedPrecondition("QEMU_MISSING", "driver.qemu", qemu.missing);
  const asked = known.get(qemu.version) ?? ask();
  known.set(qemu.version, asked);
  // A question that failed is asked again.
  asked.catch(() => known.delete(qemu.version));
  return await asked;
}

/** One QEMU without a machine tells it all and ends. Not bound to any caller's signal, since others wait for it too. */
async function ask(): Promise<QemuAbilities> {
  const commands = [
    { execute: "qmp_capabilities" },
    { execute: "qom-list-types", arguments: { implements: "device" }, id: "devices" },
    { execute: "qom-list-types", arguments: { implements: "chardev" }, id: "chardevs" },
    { execute: "query-qmp-schema", id: "schema" },
    { execute: "quit" },
  ];
  const input = commands.map((command) => `${JSON.stringify(command)}\n`).join("");
  const { stdout } = await run(
    qemuProgram,
    ["-machine", "none", "-nodefaults", "-no-user-config", "-display", "none", "-qmp", "stdio"],
    { input },
  );
  const answers = stdout.split("\n").map((line) => parseObject(Buffer.from(line)));
  const answerTo = (id: string) => objectsIn(answers.find((answer) => answer?.["id"] === id)?.["return"]);
  const namesIn = (id: string) => new Set(answerTo(id).map((type) => textOf(type, "name")));
  const devices = namesIn("devices");
  return {
    devices,
    io: findIo(answerTo("schema")),
    spice: namesIn("chardevs").has("chardev-spicevmc") && devices.has("usb-redir"),
  };
}

/** The members of the type of the option "aio" of block driver "file" (QEMU qapi/block-core.json, BlockdevOptionsFile). */
function findIo(schema: readonly Readonly<Record<string, unknown>>[]): ReadonlySet<string> {
  const types = new Map(schema.map((type) => [textOf(type, "name"), type]));
  const aio = schema
    .filter((type) => type["meta-type"] === "object")
    .flatMap((type) => objectsIn(type["members"]))
    .find((member) => textOf(member, "name") === "aio");
  const values = asObject(types.get(textOf(aio, "type")))?.["values"];
  return new Set(Array.isArray(values) ? values.filter((value) => typeof value === "string") : []);
}
