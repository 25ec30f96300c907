import { failedPrecondition, invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import type { TreeItem } from "../../../lib/tree/tree.js";
import { writeTar } from "../../../lib/tree/tar-writer.js";
import { type DiskEntry, DiskLook, type DiskUsage } from "../../../proto/gen/zor/v1/disk_service.js";
import { InstanceState } from "../../../proto/gen/zor/v1/instance.js";
import { InstanceServiceService } from "../../../proto/gen/zor/v1/instance_service.js";
import { shortName } from "../../kit/resource-name.js";
import { escapeText } from "../../kit/text/escape.js";
import { asList, type Registrar, ResourceArgument, withExamples, withNotes } from "../command.js";
import { type CopyOptions, localEnd } from "../copy/ends.js";
import { LeftOut } from "../copy/left-out.js";
import { entryColumns, entryJson, usageColumns } from "../disk/listing.js";
import { lookInto, readTree, writeInto } from "../disk/look.js";
import { splitPlace, toPlace } from "../disk/places.js";
import { EditedFile } from "../editor.js";
import { writerTo } from "../exec-command.js";
import type { ListForm } from "../output/list-form.js";
import { printList } from "../output/print-list.js";
import type { Session } from "../session.js";

interface PlaceOptions {
  readonly host?: string;
  readonly filesystem?: string;
}

type ListOptions = PlaceOptions & ListForm;

const maxEditedBytes = 16 * 1024 * 1024;
const nameHelp = "instance, or INSTANCE:DISK for one disk of a machine";

/** `zor disk ls|cat|cp|df|edit`. */
export function define({ program, open }: Registrar): void {
  const disk = program
    .command("disk")
    .description("Look into the disks of instances, running or not, and change files on those that are off.");
  const sub = (name: string, description: string) =>
    disk
      .command(name)
      .description(description)
      .option("--host <host>", "the host of a name without one")
      .option("--filesystem <device>", "one file system alone, as zor disk df shows it: /dev/sda2");
  const place = (session: Session, { path, fallback, ...rest }: Asked): Promise<Place> =>
    toPlace(session, { path, ...rest }, fallback);

  const ls = sub("ls", "List a directory of the disks, or show one file.")
    .addArgument(new ResourceArgument("<name>", nameHelp, "instance"))
    .argument("[path]", "absolute path; default: /")
    .action(async (text: string, path: string | undefined, options: ListOptions) => {
      const session = open(ls);
      await list(session, await place(session, { ...placeOf(options), text, path, fallback: "/" }), options);
    });
  asList(ls);
  withExamples(ls, "zor disk ls alpha/vm1", "zor disk ls alpha/vm1:disk1 /var/log", "zor disk ls alpha/c1:/etc");

  const cat = sub("cat", "Print a file of the disks.")
    .addArgument(new ResourceArgument("<name>", nameHelp, "instance"))
    .argument("[path]", "absolute path")
    .action(async (text: string, path: string | undefined, options: PlaceOptions) => {
      const session = open(cat);
      const wanted = await place(session, { ...placeOf(options), text, path });
      const write = writerTo(session.io.terminal.output, false);
      for await (const part of lookInto(session, wanted, DiskLook.DISK_LOOK_READ)) {
        if (part.$case === "data") await write(part.value);
      }
    });
  withExamples(cat, "zor disk cat alpha/vm1 /etc/network/interfaces");

  const cp = sub("cp", "Copy files and directories out of the disks of an instance, or into those of one that is off.")
    .argument("<from>", "a path here, or INSTANCE:/PATH, INSTANCE:DISK:/PATH")
    .argument("<to>", "a path here, or INSTANCE:/PATH; into it when it is a directory, else as it")
    .option("--owners", "keep owners and set-id bits; else files are root's inside and yours here")
    .action(async (from: string, to: string, options: PlaceOptions & { readonly owners?: boolean }) => {
      await copy(open(cp), { from, to, owners: options.owners === true, options, place });
    });
  withExamples(cp, "zor disk cp alpha/vm1:/var/log .", "zor disk cp router.conf alpha/vm1:/etc/frr/frr.conf");

  const df = sub("df", "Show the file systems of the disks, and how full they are.")
    .addArgument(new ResourceArgument("<name>", nameHelp, "instance"))
    .action(async (text: string, options: ListOptions) => {
      const session = open(df);
      await usage(session, await place(session, { ...placeOf(options), text, path: "" }), options);
    });
  asList(df);
  withExamples(df, "zor disk df alpha/vm1");

  const edit = sub("edit", "Change a text file on the disks of an instance that is off, in your editor.")
    .addArgument(new ResourceArgument("<name>", nameHelp, "instance"))
    .argument("[path]", "absolute path")
    .action(async (text: string, path: string | undefined, options: PlaceOptions) => {
      const session = open(edit);
      await change(session, await place(session, { ...placeOf(options), text, path }));
    });
  withExamples(edit, "zor disk edit alpha/vm1 /etc/fstab");
  withNotes(
    disk,
    `A machine's disks are read by libguestfs on its host, in a machine of its own that takes some seconds to
start. What runs is looked at as it is at one instant, and never written to. While
somebody looks, the instance is neither started, stopped nor changed. Symbolic
links lead nowhere but into the same disks; devices and pipes are not opened.`,
  );
}

/** Where somebody wants to look. */
type Asked = Parameters<typeof toPlace>[1] & { readonly fallback?: string };

function placeOf({ host, filesystem }: PlaceOptions): Pick<Asked, "host" | "filesystem"> {
  return { host, filesystem };
}

type Place = Awaited<ReturnType<typeof toPlace>>;

async function list(session: Session, place: Place, form: ListForm): Promise<void> {
  const rows: DiskEntry[] = [];
  for await (const part of lookInto(session, place, DiskLook.DISK_LOOK_LIST)) {
    if (part.$case === "entry") rows.push(part.value);
  }
  rows.sort((one, other) => Buffer.compare(one.name, other.name));
  await printList(session, form, {
    columns: entryColumns,
    rows,
    nameOf: ({ name }) => Buffer.from(name).toString("utf8"),
    json: (sorted) => sorted.map(entryJson),
    none: "it is empty",
  });
}

async function usage(session: Session, place: Place, form: ListForm): Promise<void> {
  const rows: DiskUsage[] = [];
  for await (const part of lookInto(session, place, DiskLook.DISK_LOOK_USAGE)) {
    if (part.$case === "usage") rows.push(part.value);
  }
  await printList(session, form, {
    columns: usageColumns,
    rows,
    nameOf: ({ device }) => device,
    json: (sorted) => sorted.map(({ size, free, ...rest }) => ({ ...rest, size: Number(size), free: Number(free) })),
    none: "no file systems",
  });
}

interface Copy {
  readonly from: string;
  readonly to: string;
  readonly owners: boolean;
  readonly options: PlaceOptions;
  readonly place: (session: Session, asked: Asked) => Promise<Place>;
}

async function copy(session: Session, { from, to, owners, options, place }: Copy): Promise<void> {
  const [source, target] = [isInside(from), isInside(to)];
  if (source === target) {
    throw invalidArgument("to", "one of the two must be in an instance, INSTANCE:/PATH, and the other one here");
  }
  const left = new LeftOut(session);
  const how = {
    ...{ signal: session.io.signal, owners, onSkipped: left.tell },
    // Nothing is run inside.
    onSaid: () => undefined,
  };
  if (source) {
    const wanted = await place(session, { ...placeOf(options), text: from, path: undefined });
    const base = lastName(wanted.path);
    await localEnd(to).write(readTree(session, wanted), base, how);
    left.assertNothingLost(wanted.name);
    return;
  }
  const wanted = await place(session, { ...placeOf(options), text: to, path: undefined });
  const end = localEnd(from);
  const items = end.read(how)[Symbol.asyncIterator]();
  try {
    await send(session, wanted, { items, base: end.base, how });
    left.assertNothingLost(wanted.name);
  } finally {
    // Of what was refused the files are still open.
    await items.return?.();
  }
}

interface Sending {
  readonly items: AsyncIterator<TreeItem>;
  readonly base: string;
  readonly how: Pick<CopyOptions, "owners" | "onSkipped">;
}

async function send(session: Session, place: Place, { items, base, how }: Sending): Promise<void> {
  const first = await items.next();
  if (first.done === true) return;
  const { value } = first;
  if (value.type === "entry" && value.entry.type === "file") {
    const open = { place, base, size: BigInt(value.entry.size), mode: value.entry.mode & 0o777 };
    await writeInto(session, open, dataOf(items));
    return;
  }
  await writeInto(session, { place, archive: true }, writeTar(owned(after(value, items), how), `./${base}`));
}

function isInside(text: string): boolean {
  return !/^[./]/.test(text) && splitPlace(text)?.path !== undefined;
}

function lastName(path: string): string {
  const name = path.split("/").findLast((part) => part !== "");
  if (name !== undefined) return name;
  throw invalidArgument("from", "the whole of a disk cannot be copied; name a directory on it");
}

async function* dataOf(items: AsyncIterator<TreeItem>): AsyncGenerator<Buffer> {
  for (let next = await items.next(); next.done !== true; next = await items.next()) {
    if (next.value.type === "data") yield next.value.data;
  }
}

async function* after(first: TreeItem, items: AsyncIterator<TreeItem>): AsyncGenerator<TreeItem> {
  yield first;
  for (let next = await items.next(); next.done !== true; next = await items.next()) yield next.value;
}

/** As it is to be inside: root's, unless owners are kept. */
async function* owned(
  items: AsyncIterable<TreeItem>,
  { owners, onSkipped }: Pick<CopyOptions, "owners" | "onSkipped">,
): AsyncGenerator<TreeItem> {
  for await (const item of items) {
    if (item.type === "skipped") onSkipped(item.what, item.lost);
    if (item.type !== "entry" || owners) yield item;
    else yield { type: "entry", entry: { ...item.entry, uid: 0, gid: 0, mode: item.entry.mode & 0o777 } };
  }
}

async function change(session: Session, place: Place): Promise<void> {
  const { name, path } = place;
  const { instance } = await session.call(InstanceServiceService.getInstance, { name });
  const state = instance?.status?.state;
  if (state === InstanceState.INSTANCE_STATE_RUNNING || state === InstanceState.INSTANCE_STATE_PAUSED) {
    const why = "runs, and disks are never written to from outside meanwhile; stop it first";
    throw failedPrecondition("INSTANCE_RUNNING", name, `${shortName(name)} ${why}`);
  }
  await using file = await EditedFile.create(lastName(path).replaceAll(/[^\w.-]/g, "_"), session.io.env);
  let expected: DiskEntry | undefined;
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const part of lookInto(session, place, DiskLook.DISK_LOOK_READ)) {
    if (part.$case === "entry") expected = part.value;
    if (part.$case !== "data") continue;
    pieces.push(part.value);
    length += part.value.length;
    if (length > maxEditedBytes) throw notText(name, path, "is too large to be edited");
  }
  const content = Buffer.concat(pieces);
  const text = content.toString("utf8");
  if (!Buffer.from(text, "utf8").equals(content)) throw notText(name, path, "is no text");
  const saved = Buffer.from(await file.edit(text), "utf8");
  session.io.signal.throwIfAborted();
  if (saved.equals(content)) {
    session.note(escapeText(`${shortName(name)}: ${path} was not changed`));
    return;
  }
  try {
    await writeInto(session, { place, size: BigInt(saved.length), expected }, once(saved));
  } catch (error) {
    file.keep();
    session.note(escapeText(`zor: what you edited is in ${file.path}`));
    throw error;
  }
  session.print(escapeText(`${shortName(name)}: ${path} written, ${saved.length} bytes`));
}

async function* once(data: Buffer): AsyncGenerator<Buffer> {
  const pieceBytes = 256 * 1024;
  for (let at = 0; at < data.length; at += pieceBytes) yield data.subarray(at, at + pieceBytes);
}

function notText(name: string, path: string, why: string): Error {
  const message = `${shortName(name)}: ${quote(path)} ${why}; copy it with: zor disk cp`;
  return failedPrecondition("NOT_TEXT", name, message);
}
