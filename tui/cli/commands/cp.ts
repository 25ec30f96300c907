import { lstat } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { invalidArgument } from "../../../lib/errors.js";
import { kindNamed } from "../../../lib/kinds/kinds.js";
import type { TreeItem } from "../../../lib/tree/tree.js";
import { escapeText } from "../../kit/text/escape.js";
import { outputOption, type Registrar, withExamples, withNotes } from "../command.js";
import type { Resumed } from "../copy/resume.js";
import { type CopyEnd, guestEnd, localEnd, noName } from "../copy/ends.js";
import { LeftOut } from "../copy/left-out.js";
import { resolveName } from "../resolve.js";
import type { Session } from "../session.js";

interface CpOptions {
  readonly host?: string;
  readonly owners?: boolean;
  readonly resume?: boolean;
  readonly output: string;
}

const progressMs = 250;

/** `zor cp FROM TO`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("cp")
    .description("Copy files and directories into an instance, out of one, or from one to another.")
    .argument("<from>", "a path here, or INSTANCE:/PATH")
    .argument("<to>", "a path here, or INSTANCE:/PATH; into it when it is a directory, else as it")
    .option("--host <host>", "the host of names without one")
    .option("--owners", "keep owners and set-id bits; else files are root's inside and yours here")
    .option("--resume", "keep what came when it is cut off, and go on there; what is complete is not sent again")
    .addOption(outputOption(["text", "json"], "text"))
    .action(async (from: string, to: string, options: CpOptions) => {
      const session = open(command);
      if (options.resume === true) {
        await resume(session, { from, to, options });
        return;
      }
      const [source, target] = [await toEnd(session, from, options.host), await toEnd(session, to, options.host)];
      if (!isInside(from) && !isInside(to)) {
        throw invalidArgument("to", "neither is in an instance; write INSTANCE:/PATH for one of them");
      }
      const progress = new Progress(session, options.output === "json");
      const { signal } = session.io;
      const left = new LeftOut(session);
      const onSaid = (line: string): void => session.note(escapeText(`zor: said inside: ${line}`));
      const how = { signal, owners: options.owners === true, onSkipped: left.tell, onSaid };
      try {
        await target.write(progress.watch(source.read(how)), source.base, how);
      } finally {
        progress.end();
      }
      left.assertNothingLost(isInside(from) ? from : to);
    });
  withNotes(
    command,
    `Directories are copied with all that is in them; symbolic links stay links, and
none is followed out of the directory that is written to, whichever side made it.
Modes and times are kept; hard links become files, devices and sockets are left
out. A file gets its name when it is whole. The instance must run and have sh and
tar; paths inside are absolute. A local path with a colon: ./a:b.`,
  );
  withExamples(
    command,
    "zor cp router.conf alpha/vm1:/etc/frr/frr.conf",
    "zor cp alpha/vm1:/var/log .",
    "zor cp alpha/vm1:/etc/hosts beta/c1:/etc/hosts",
  );
}

/** Copies a file or a directory, going on where an earlier copy was cut off. */
async function resume(
  session: Session,
  { from, to, options }: { readonly from: string; readonly to: string; readonly options: CpOptions },
): Promise<void> {
  if (options.owners === true) throw invalidArgument("--owners", "does not go together with --resume");
  if (isInside(from) === isInside(to)) {
    throw invalidArgument(
      "--resume",
      "goes on between this machine and an instance; one of the two must be INSTANCE:/PATH",
    );
  }
  const [place, here] = isInside(from) ? [from, to] : [to, from];
  const colon = place.indexOf(":");
  const inside = place.slice(colon + 1);
  if (!inside.startsWith("/") || inside.includes("\n")) throw invalidArgument("path", "must be absolute, and one line");
  if (["", ".", ".."].includes(basename(inside))) throw noName(inside);
  const name = await resolveName(session, kindNamed("instance"), place.slice(0, colon), options.host);
  const progress = new Progress(session, options.output === "json");
  const copy = {
    ...{ connection: await session.connect(), name, inside, here, signal: session.io.signal },
    onBytes: (bytes: number) => progress.add(bytes),
    onFiles: (count: number) => progress.addFiles(count),
    note: (text: string) => session.note(escapeText(`zor: ${text}`)),
  };
  try {
    await goOn(copy, isInside(from));
  } finally {
    progress.end();
  }
}

async function goOn(copy: Resumed, isOut: boolean): Promise<void> {
  const { resumeIn, resumeOut } = await import("../copy/resume.js");
  const { isDirectoryInside, resumeTreeIn, resumeTreeOut } = await import("../copy/resume-tree.js");
  if (isOut) {
    const isTree = basename(copy.inside) !== "" && (await isDirectoryInside(copy));
    return await (isTree ? resumeTreeOut(copy) : resumeOut(copy));
  }
  const here = await lstat(resolve(copy.here)).catch(() => undefined);
  return await (here?.isDirectory() === true ? resumeTreeIn(copy) : resumeIn(copy));
}

/** A colon makes a name of an instance of what stands before it, unless that is a path. */
function isInside(text: string): boolean {
  const colon = text.indexOf(":");
  return colon > 0 && !/^[./]/.test(text);
}

async function toEnd(session: Session, text: string, host: string | undefined): Promise<CopyEnd> {
  if (text === "") throw invalidArgument("path", "must not be empty");
  if (!isInside(text)) return localEnd(text);
  const colon = text.indexOf(":");
  const name = await resolveName(session, kindNamed("instance"), text.slice(0, colon), host);
  return guestEnd(await session.connect(), name, text.slice(colon + 1));
}

/** Tells how far a copy is: on a terminal in one line, or in lines of JSON. */
class Progress {
  readonly #session: Session;
  readonly #json: boolean;
  #bytes = 0;
  #files = 0;
  #toldMs = 0;

  constructor(session: Session, json: boolean) {
    this.#session = session;
    this.#json = json;
  }

  async *watch(items: AsyncIterable<TreeItem>): AsyncGenerator<TreeItem> {
    for await (const item of items) {
      if (item.type === "data") this.#bytes += item.data.length;
      if (item.type === "entry" && item.entry.type !== "directory") this.#files += 1;
      if (performance.now() - this.#toldMs > progressMs) this.#tell("");
      yield item;
    }
  }

  addFiles(count: number): void {
    this.#files += count;
  }

  add(bytes: number): void {
    this.#files = Math.max(1, this.#files);
    this.#bytes += bytes;
    if (performance.now() - this.#toldMs > progressMs) this.#tell("");
  }

  end(): void {
    this.#tell("\n");
  }

  #tell(end: string): void {
    this.#toldMs = performance.now();
    const { terminal, errors } = this.#session.io;
    if (this.#json) this.#session.print(JSON.stringify({ files: this.#files, bytes: this.#bytes, done: end !== "" }));
    else if (terminal.output.isTTY === true) errors.write(`\r${this.#files} files, ${this.#bytes} bytes${end}`);
  }
}
