import { resolve } from "node:path";
import type { Connection } from "../../../lib/grpc/connection.js";
import { shortName } from "../../kit/resource-name.js";
import { openCaptureFile, removeCaptureFile } from "./capture-file.js";
import { placeOfTarget } from "./place-of-target.js";
import { type CaptureProgress, runCapture } from "./run-capture.js";

/** How a resource is captured into a file of its own. */
export interface ResourceCapture {
  /** Ends it; what is there already is written. */
  readonly signal: AbortSignal;
  readonly onNotice: (text: string) => void;
  readonly onProgress: (progress: FileProgress) => void;
}

/** How far such a capture is. */
export interface FileProgress extends CaptureProgress {
  /** Path of the file. */
  readonly path: string;
}

const wholeFrames = 262_144;

/**
 * Captures all frames of what frames pass, a link at its first end, into a new file of the working directory, until the signal aborts.
 * @throws {ZorError} when it cannot be captured or written.
 */
export async function captureResource(
  connection: Connection,
  name: string,
  { signal, onNotice, onProgress }: ResourceCapture,
): Promise<FileProgress> {
  const { host, target } = await placeOfTarget(connection, name, { signal });
  const time = new Date().toISOString().replace(/[-:]|\.\d+Z/g, "");
  const path = resolve(`${shortName(name).replaceAll("/", "-")}-${time}.pcapng`);
  const request = { targets: [target], filter: "", snapBytes: wholeFrames, maxPackets: 0n, maxDuration: undefined };
  const result = await runCapture({
    hosts: [{ host, connection, request }],
    output: { open: () => openCaptureFile(path), remove: () => removeCaptureFile(path), ring: undefined },
    ...{ comment: "", filter: "", snapBytes: wholeFrames },
    maxPackets: Number.POSITIVE_INFINITY,
    maxBytes: Number.POSITIVE_INFINITY,
    stop: signal,
    onNotice,
    onProgress: (progress) => onProgress({ ...progress, path }),
  });
  return { packets: result.packets, dropped: result.dropped, unread: result.unread, path };
}
