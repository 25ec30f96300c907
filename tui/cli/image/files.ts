import { createHash } from "node:crypto";
import { once } from "node:events";
import { open as openFile, rename, rm } from "node:fs/promises";
import { basename } from "node:path";
import type { Command } from "commander";
import { alreadyExists, invalidArgument, unavailable } from "../../../lib/errors.js";
import { kindNamed } from "../../../lib/kinds/kinds.js";
import { parseId, quote } from "../../../lib/names.js";
import type { Image } from "../../../proto/gen/zor/v1/image.js";
import { GetImageResponse, ImageServiceService } from "../../../proto/gen/zor/v1/image_service.js";
import { Operation } from "../../../proto/gen/zor/v1/operation.js";
import { formatBytes } from "../../kit/format.js";
import { parsePairs } from "../../kit/input/key-values.js";
import { parseBytesPerSecond } from "../../kit/input/rate.js";
import { shortName } from "../../kit/resource-name.js";
import { escapeText } from "../../kit/text/escape.js";
import { type Registrar, repeatable, ResourceArgument, responseOutput, withExamples } from "../command.js";
import { showProgress } from "../output/progress.js";
import { resolveName } from "../resolve.js";
import type { OutputFormat, Session } from "../session.js";
import { onlyHost } from "./only-host.js";
import { uploadImage } from "./upload.js";

interface ImportOptions {
  readonly output: OutputFormat;
  readonly host?: string;
  readonly name?: string;
  readonly description?: string;
  readonly tag: readonly string[];
  readonly label: readonly string[];
  readonly arch?: string;
  readonly limit?: string;
}

/** `zor image import FILE`. */
export function defineImport(image: Command, open: Registrar["open"]): void {
  const command = image
    .command("import")
    .description(
      "Bring a file of this machine to a host as an image. What is compressed (gz, xz, zst, bz2, zip, ova) is unpacked there, and vmdk, vdi, vhd and vhdx are converted. An import that was cut off goes on when the command is run again within the hour; Ctrl-C leaves nothing.",
    )
    .argument("<file>", 'the file; "-" is standard input')
    .option("--host <host>", "the host (default: the only one)")
    .option("--name <name>", "name of the image (default: the file's name without its endings)")
    .option("--description <text>", "what it is, for people")
    .addOption(repeatable("--tag <tag>", "instances can name it as NAME:TAG; may be repeated"))
    .addOption(repeatable("--label <key=value>", "a label; may be repeated"))
    .option("--arch <architecture>", "such as amd64 or arm64, where it cannot be seen")
    .option("--limit <rate>", "most bytes a second, such as 10M")
    .addOption(responseOutput())
    .action(async (file: string, options: ImportOptions) => {
      const session = open(command);
      const imported = await importFile(session, file, options);
      const show = () => escapeText(options.output === "name" ? imported.name : importedText(imported));
      const method = { ...ImageServiceService.getImage, responseType: GetImageResponse };
      await session.printResponse(options.output, method, { image: imported }, show);
    });
  withExamples(
    command,
    "zor image import debian-12.qcow2 --host alpha",
    "zor image import router.ova --host alpha --name router --tag 7.2",
    "tar c -C tree . | zor image import - --name tree --host alpha",
  );
}

async function importFile(session: Session, file: string, options: ImportOptions): Promise<Image> {
  const imageId = parseId("--name", options.name ?? nameOf(file));
  const bytesPerSecond = options.limit === undefined ? 0 : parseBytesPerSecond("--limit", options.limit);
  const labels = parsePairs("--label", options.label);
  const connection = await session.connect();
  await session.nameContext();
  const parent = await onlyHost(session, options.host);
  using line = showProgress(session.io.errors, session.io.env, `importing ${shortName(parent)}/${imageId}`);
  return await uploadImage({
    ...{ connection, file, bytesPerSecond, signal: session.io.signal, input: session.io.terminal.input },
    image: {
      ...{ parent, imageId, labels, tags: [...options.tag] },
      description: options.description ?? "",
      architecture: options.arch ?? "",
    },
    onProgress: ({ step, percent }) => line.update(Operation.fromPartial({ step, progressPercent: percent })),
  });
}

/** "debian-12" of "/tmp/debian-12.qcow2.xz". */
function nameOf(file: string): string {
  if (file === "-") throw invalidArgument("--name", "must say what the image is called that comes from standard input");
  const endings = /\.(gz|xz|zst|bz2|zip|tgz|txz|tar|qcow2|img|raw|iso|vmdk|vdi|vhd|vhdx|ova)$/i;
  let name = basename(file);
  for (let shorter = name.replace(endings, ""); shorter !== name && shorter !== ""; shorter = name.replace(endings, ""))
    name = shorter;
  return name;
}

function importedText({ name, status }: Image): string {
  return `image ${shortName(name)} imported: ${status?.format ?? ""}, ${formatBytes(status?.sizeBytes ?? 0n)}, ${status?.digest ?? ""}`;
}

/** `zor image export NAME FILE`. */
export function defineExport(image: Command, open: Registrar["open"]): void {
  const command = image
    .command("export")
    .description("Write the file of an image to this machine, and check its digest. Ctrl-C leaves nothing.")
    .addArgument(new ResourceArgument("<name>", "the image", "image"))
    .argument("<file>", 'where to; "-" is standard output')
    .option("--host <host>", "the host of a name without one")
    .option("--overwrite", "take the place of a file that is there")
    .action(async (text: string, file: string, options: { readonly host?: string; readonly overwrite?: boolean }) => {
      const session = open(command);
      const name = await resolveName(session, kindNamed("image"), text, options.host);
      if (file === "-") return await writeOut(session, name);
      await exportTo(session, name, file, options.overwrite === true);
      session.note(escapeText(`${shortName(name)} written to ${file}`));
    });
  withExamples(command, "zor image export alpha/debian debian.qcow2", "zor image export alpha/tree - | tar t");
}

/** The content of an image. @throws {ZorError} when it is not whole, or not what its digest says. */
async function* contentOf(session: Session, name: string): AsyncIterable<Buffer> {
  const connection = await session.connect();
  using line = showProgress(session.io.errors, session.io.env, `exporting ${shortName(name)}`);
  const hash = createHash("sha256");
  const { signal } = session.io;
  let [size, done, digest] = [0, 0, ""];
  for await (const part of connection.stream(ImageServiceService.exportImage, { name, offset: 0n }, { signal })) {
    if (part.sizeBytes > 0n) [size, digest] = [Number(part.sizeBytes), part.digest];
    hash.update(part.data);
    done += part.data.length;
    line.update(
      Operation.fromPartial({ step: "receiving", progressPercent: Math.floor((100 * done) / Math.max(1, size)) }),
    );
    yield part.data;
  }
  if (done !== size)
    throw unavailable("EXPORT_CUT", name, `${name} ended after ${done} of ${size} bytes; export it again`);
  if (digest !== "" && digest !== `sha256:${hash.digest("hex")}`) {
    throw unavailable("IMAGE_DAMAGED", name, `${name} is not what its digest says; look at it with: zor image verify`);
  }
}

async function writeOut(session: Session, name: string): Promise<void> {
  const { output } = session.io.terminal;
  if (output.isTTY === true) throw invalidArgument("file", "this is a terminal; send the output to a file or a pipe");
  for await (const data of contentOf(session, name)) if (!output.write(data)) await once(output, "drain");
}

async function exportTo(session: Session, name: string, path: string, overwrite: boolean): Promise<void> {
  const scratch = `${path}.part-${process.pid}`;
  if (!overwrite) {
    const there = await openFile(path, "r").catch(() => undefined);
    await there?.close();
    if (there !== undefined) throw alreadyExists(quote(path), "name another file, or use --overwrite");
  }
  try {
    await using file = await openFile(scratch, "wx");
    for await (const data of contentOf(session, name)) await file.writeFile(data);
    await file.sync();
    await rename(scratch, path);
  } catch (error) {
    await rm(scratch, { force: true });
    throw error;
  }
}
