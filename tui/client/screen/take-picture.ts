import { failedPrecondition } from "../../../lib/errors.js";
import type { Connection } from "../../../lib/grpc/connection.js";
import { ScreenServiceService } from "../../../proto/gen/zor/v1/screen_service.js";
import { shortName } from "../../kit/resource-name.js";

const maxPictureBytes = 32 * 1024 * 1024;
const pngSignature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** What the screen of "hosts/{host}/instances/{instance}" shows now, as PNG. @throws {ZorError} when it has none, or no picture comes. */
export async function takePicture(connection: Connection, name: string, signal: AbortSignal): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const { png } of connection.stream(ScreenServiceService.captureScreen, { name }, { signal })) {
    pieces.push(png);
    length += png.length;
    if (length > maxPictureBytes) throw notPng(name);
  }
  const picture = Buffer.concat(pieces);
  if (!picture.subarray(0, pngSignature.length).equals(pngSignature)) throw notPng(name);
  return picture;
}

function notPng(name: string): Error {
  return failedPrecondition(
    "NO_PICTURE",
    name,
    `${shortName(name)}: what was sent is no picture (PNG) of up to 32 MiB`,
  );
}
