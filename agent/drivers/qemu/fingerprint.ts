import { geteuid } from "node:process";
import { run, ToolError } from "../../host/exec.js";
import { findToolFile } from "../../host/tool-file.js";
import { qemuProgram } from "./program.js";
import { toldOf } from "../../host/told.js";

/** Version of the installed QEMU, "7.2.22"; or why there is none. */
export type QemuVersion = { readonly version: string } | { readonly missing: string };

/** What the program told that was there last, with what the file was. */
let last: { readonly file: string; readonly version: string } | undefined;

/** The version of the installed QEMU, asked for anew when the program is another one. Never throws. */
export async function findQemuVersion(signal: AbortSignal): Promise<QemuVersion> {
  try {
    const file = await findToolFile(qemuProgram);
    if (file !== undefined && last?.file === file) return { version: last.version };
    const { stdout } = await run(qemuProgram, ["--version"], { signal });
    const version = /version (\d+(?:\.\d+)+)/.exec(stdout)?.[1];
    if (version === undefined) return { missing: "QEMU does not tell its version" };
    // One that was put there meanwhile is asked next time.
    if (file !== undefined) last = { file, version };
    return { version };
  } catch (error) {
    return {
      missing:
        error instanceof ToolError
          ? `${toldOf(error)}; install it with: apt-get install qemu-system-x86`
          : toldOf(error),
    };
  }
}

/** The first reason why no machine can be started on this host; undefined when there is none. */
export async function findMissingTool(signal: AbortSignal): Promise<string | undefined> {
  if (geteuid?.() !== 0) return "the agent does not run as root, which it needs for taps and unprivileged machines";
  for (const [tool, remedy] of [
    ["qemu-img", "qemu-utils"],
    ["setpriv", "util-linux"],
  ] as const) {
    try {
      await run(tool, ["--version"], { signal });
    } catch (error) {
      return `${toldOf(error)}; install it with: apt-get install ${remedy}`;
    }
  }
  return undefined;
}
