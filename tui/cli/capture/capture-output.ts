import { once } from "node:events";
import { extname } from "node:path";
import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { type CaptureSink, openCaptureFile, removeCaptureFile } from "../../client/captures/capture-file.js";
import type { PcapngOutputOptions } from "../../client/captures/pcapng-output.js";
import type { Session } from "../session.js";
import { startDecoder } from "./decode.js";

const unitBytes: Readonly<Record<string, number>> = { "": 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };
const ringBounds = { files: 1000, leastBytes: 64 * 1024 } as const;
/** Digits of the number in the name of a file of a ring: names sort as they came. */
const numberDigits = 5;

/** Bytes of "500", "64K", "10M", "1.5GiB" (units are binary). @throws {ZorError} INVALID_ARGUMENT */
export function parseBytes(option: string, text: string): number {
  const match = /^(\d{1,12}(?:\.\d{1,4})?)([kmg]?)(?:i?b)?$/i.exec(text.trim());
  const bytes = match === null ? 0 : Math.floor(Number(match[1]) * (unitBytes[(match[2] ?? "").toLowerCase()] ?? 0));
  if (bytes > 0 && Number.isSafeInteger(bytes)) return bytes;
  throw invalidArgument(option, `${quote(text)} is not a number of bytes such as 500, 64K, 10M or 1.5G`);
}

/** A ring as people write it: "5x10M". @throws {ZorError} INVALID_ARGUMENT */
export function parseRing(text: string): { readonly files: number; readonly bytes: number } {
  const match = /^(\d{1,4})x(.+)$/.exec(text.trim());
  const files = Number(match?.[1] ?? 0);
  const bytes = match === null ? 0 : parseBytes("--ring", match[2] ?? "");
  if (files >= 1 && files <= ringBounds.files && bytes >= ringBounds.leastBytes) return { files, bytes };
  throw invalidArgument(
    "--ring",
    `${quote(text)} is not FILESxBYTES such as 5x10M: 1 to ${ringBounds.files} files of 64K or more`,
  );
}

/** Name of the file of that number in a ring: "ping_00002.pcapng". */
export function ringFile(path: string, number: number): string {
  const extension = extname(path);
  return `${path.slice(0, path.length - extension.length)}_${String(number).padStart(numberDigits, "0")}${extension}`;
}

/** Where `-w` and `--ring` have frames written; without them they are decoded here. @throws {ZorError} */
export function outputOf(
  session: Session,
  { write, ring: ringText }: { readonly write?: string | undefined; readonly ring?: string | undefined },
): Pick<PcapngOutputOptions, "open" | "remove" | "ring"> {
  const ring = ringText === undefined ? undefined : parseRing(ringText);
  const { output } = session.io.terminal;
  if (ring !== undefined && (write === undefined || write === "-"))
    throw invalidArgument("--ring", "is a ring of files: give their name with -w FILE");
  const remove = async (): Promise<void> => undefined;
  if (write === undefined) {
    const path = session.io.env["PATH"] ?? process.env["PATH"] ?? "";
    return { ring, remove, open: () => startDecoder(path, (text) => put(session, text)) };
  }
  if (write !== "-") {
    const nameOf = (number: number): string => (ring === undefined ? write : ringFile(write, number));
    return {
      ring,
      open: (number) => openCaptureFile(nameOf(number)),
      remove: (number) => removeCaptureFile(nameOf(number)),
    };
  }
  if (output.isTTY === true)
    throw invalidArgument(
      "-w",
      "frames are no text for a terminal: give a file, or a pipe such as -w - | wireshark -k -i -",
    );
  return { ring, remove, open: async () => streamSink(session) };
}

/** Standard output, which may be gone before the capture is. */
function streamSink(session: Session): CaptureSink {
  return { write: (data) => put(session, data), close: async () => undefined };
}

async function put(session: Session, data: string | Buffer): Promise<void> {
  const { output } = session.io.terminal;
  if (!output.write(data)) await once(output, "drain");
}
