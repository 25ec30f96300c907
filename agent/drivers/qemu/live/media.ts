import { failedPrecondition } from "../../../../lib/errors.js";
import type { MediumChange } from "../../abilities/devices.js";
import { openMedium } from "../cd-medium.js";
import { toMediumNode } from "../hardware/cdroms.js";
import { asObject, textOf } from "../json.js";
import { addDescriptor, findBlockDevice, type LiveMachine, type LiveOptions, removeNode } from "./live-machine.js";

/** A guest that opens the tray when it is told to has done so by then. */
const guestOpensMs = 1000;

/**
 * Changes what lies in a drive of a running machine, as by hand: the tray opens, the medium is changed, the tray closes. On error the former
 * medium lies in it.
 * @throws {ZorError} FAILED_PRECONDITION when the guest has locked the tray and `force` is not set; it is told that somebody wants it open.
 */
export async function changeMedium(
  machine: LiveMachine,
  { drive, image, force }: MediumChange,
  options: LiveOptions & { readonly imageDirectories: readonly string[] },
): Promise<void> {
  const { resource } = options;
  const found = await findBlockDevice(machine, drive);
  if (found === undefined) {
    throw failedPrecondition("NO_DEVICE", resource, `${resource}: the running machine has no drive ${drive}`);
  }
  const former = textOf(asObject(found.facts["inserted"]), "node-name");
  await using undo = new AsyncDisposableStack();
  const next = image === "" ? undefined : await addMedium(machine, drive, former, { ...options, image });
  if (next !== undefined) undo.defer(() => removeNode(machine, next));
  await openTray(machine, drive, { force, resource });
  undo.defer(async () => void (await machine.execute("blockdev-close-tray", { id: drive })));
  if (former !== "") {
    await machine.execute("blockdev-remove-medium", { id: drive });
    undo.defer(async () => void (await machine.execute("blockdev-insert-medium", { id: drive, "node-name": former })));
  }
  if (next !== undefined) await machine.execute("blockdev-insert-medium", { id: drive, "node-name": next });
  undo.move();
  await machine.execute("blockdev-close-tray", { id: drive });
  if (former !== "") await removeNode(machine, former);
}

/** Opens an image as a node whose name the former medium has not got. */
async function addMedium(
  machine: LiveMachine,
  drive: string,
  former: string,
  { image, imageDirectories }: { readonly image: string; readonly imageDirectories: readonly string[] },
): Promise<string> {
  await using medium = await openMedium(imageDirectories, image, "image");
  const number = Number(/(\d+)$/.exec(former.slice(drive.length))?.[1] ?? 0) + 1;
  const node = `${drive}medium${number}`;
  const set = await addDescriptor(machine, medium.file.fd);
  try {
    await machine.execute("blockdev-add", toMediumNode(node, set));
  } catch (error) {
    await machine.execute("remove-fd", { "fdset-id": set }).catch(() => undefined);
    throw error;
  }
  return node;
}

/** QEMU takes the order for a locked tray too: it tells the guest, which may open it or not. */
async function openTray(
  machine: LiveMachine,
  drive: string,
  { force, resource }: { readonly force: boolean; readonly resource: string },
): Promise<void> {
  const opened = Promise.withResolvers<boolean>();
  const stop = machine.listen(({ name, data }) => {
    if (name === "DEVICE_TRAY_MOVED" && data["id"] === drive && data["tray-open"] === true) opened.resolve(true);
  });
  const timer = setTimeout(() => opened.resolve(false), guestOpensMs);
  try {
    await machine.execute("blockdev-open-tray", { id: drive, force });
    // It may be open already, which no event tells.
    if ((await findBlockDevice(machine, drive))?.facts["tray_open"] === true || (await opened.promise)) return;
  } finally {
    stop();
    clearTimeout(timer);
  }
  throw failedPrecondition(
    "TRAY_LOCKED",
    resource,
    `${resource}: the guest has locked the tray of ${drive}, since it uses the medium; unmount it there and try again, or open the tray with force`,
  );
}
