import { invalidArgument } from "../../../lib/errors.js";
import { kindNamed } from "../../../lib/kinds/kinds.js";
import { quote } from "../../../lib/names.js";
import type { DiskPlace } from "../../../proto/gen/zor/v1/disk_service.js";
import { resolveName } from "../resolve.js";
import type { Session } from "../session.js";

/** What of a command line says where something is in the disks of an instance. */
export interface AskedPlace {
  /** INSTANCE, INSTANCE:DISK, INSTANCE:/PATH or INSTANCE:DISK:/PATH. */
  readonly text: string;
  readonly path: string | undefined;
  readonly host: string | undefined;
  readonly filesystem: string | undefined;
}

/** The parts of such a word; undefined for a path of this machine; pure. */
export function splitPlace(text: string): { instance: string; disk: string; path: string | undefined } | undefined {
  const found = /^([^:]+)(?::([^:/][^:]*))?(?::(\/.*)?)?$/s.exec(text);
  if (found === null) return undefined;
  const [, instance = "", disk = "", path] = found;
  return { instance, disk, path };
}

/** Resolves a place. @param fallback its path when none is said. @throws {ZorError} */
export async function toPlace(session: Session, asked: AskedPlace, fallback: string | undefined): Promise<DiskPlace> {
  const parts = splitPlace(asked.text);
  if (parts === undefined) {
    throw invalidArgument("name", `${quote(asked.text)} is not INSTANCE, INSTANCE:DISK or INSTANCE:/PATH`);
  }
  if (parts.path !== undefined && asked.path !== undefined) throw invalidArgument("path", "is said twice");
  const path = asked.path ?? parts.path ?? fallback;
  if (path === undefined) throw invalidArgument("path", "is missing: INSTANCE PATH, or INSTANCE:/PATH");
  if (path !== "" && !path.startsWith("/")) throw invalidArgument("path", `${quote(path)} must be absolute`);
  const name = await resolveName(session, kindNamed("instance"), parts.instance, asked.host);
  return { name, disk: parts.disk, filesystem: asked.filesystem ?? "", path };
}
