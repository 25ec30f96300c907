import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import type { VersionServiceService } from "../proto/gen/zor/v1/version_service.js";
import type { Handlers } from "./grpc/service.js";
import { apiLevel, programPath, version } from "./program.js";

/** Tells which program this process is, as it was when this is called: its file may be replaced while it runs. */
export function versionHandlers(program: "hub" | "agent"): Handlers<typeof VersionServiceService> {
  const build = buildOf(program);
  const startTime = new Date(Date.now() - process.uptime() * 1000);
  return { getVersion: async () => ({ program, version, build, apiLevel, startTime, time: new Date() }) };
}

/** Files that were read, by what tells that they are the same ones still. */
const builds = new Map<string, string>();

/** What tells a program from another one of the same version: the beginning of the SHA-256 of its file. Empty: the file cannot be read. */
export function buildOf(program: "hub" | "agent"): string {
  try {
    const path = programPath(program);
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
    const file = [path, dev, ino, size, mtimeNs, ctimeNs].join(" ");
    const build = builds.get(file) ?? createHash("sha256").update(readFileSync(path)).digest("hex").slice(0, 12);
    builds.set(file, build);
    return build;
  } catch {
    return "";
  }
}
