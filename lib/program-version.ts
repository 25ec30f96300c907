import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { VersionServiceService } from "../proto/gen/zor/v1/version_service.js";
import type { Handlers } from "./grpc/service.js";
import { apiLevel, programPath, version } from "./program.js";

/** Tells which program this process is, as it was when this is called: its file may be replaced while it runs. */
export function versionHandlers(program: "hub" | "agent"): Handlers<typeof VersionServiceService> {
  const build = buildOf(program);
  const startTime = new Date(Date.now() - process.uptime() * 1000);
  return { getVersion: async () => ({ program, version, build, apiLevel, startTime, time: new Date() }) };
}

/** What tells a program from another one of the same version: the beginning of the SHA-256 of its file. Empty: the file cannot be read. */
export function buildOf(program: "hub" | "agent"): string {
  try {
    return createHash("sha256")
      .update(readFileSync(programPath(program)))
      .digest("hex")
      .slice(0, 12);
  } catch {
    return "";
  }
}
