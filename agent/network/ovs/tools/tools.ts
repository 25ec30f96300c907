import { notFound, unavailable } from "../../../../lib/errors.js";
import { AtOnce } from "../../../host/at-once.js";
import { run, ToolError } from "../../../host/exec.js";
import { isOwned, tagKeys } from "../../bridge-operations.js";
import { findScalar, readMap } from "../ovsdb-values.js";
import type { OvsdbMirror } from "../ovsdb-mirror.js";
import { type AskedTool, type JudgedTool, judgeTool } from "./judge.js";

/** How a tool ended, and what it said. */
export interface ToolAnswer {
  readonly exitCode: number;
  readonly output: string;
  readonly errorOutput: string;
  /** A part of the output is missing. */
  readonly truncated: boolean;
}

/** The tools of a host's own switch. */
export interface SwitchTools {
  /** What would be run. @throws {ZorError} for what may not be. */
  readonly judge: (asked: AskedTool) => JudgedTool;
  /** Runs it to its end. @throws {ZorError} UNAVAILABLE, RESOURCE_EXHAUSTED */
  readonly run: (judged: JudgedTool, signal: AbortSignal) => Promise<ToolAnswer>;
}

/** What tools are run against. */
export interface SwitchToolsOptions {
  readonly switch: { readonly mirror: OvsdbMirror; readonly agentUid: string; readonly netns: string };
  /** Directory of the switch's sockets. */
  readonly directory: string;
}

/** Tools at once, of all callers. */
const maxRunning = 4;
const maxOutputBytes = 1024 * 1024;
const maxErrorBytes = 64 * 1024;
/** More than what the tools are told to give up after. */
const timeoutMs = 15_000;
const allExitCodes = Array.from({ length: 256 }, (_, code) => code);

/** Runs Open vSwitch's tools against one switch. */
export function createSwitchTools({ switch: sw, directory }: SwitchToolsOptions): SwitchTools {
  const gate = new AtOnce({ most: maxRunning, reason: "OVS_BUSY", what: "tools run at this host's switch" });
  return {
    judge: (asked) => {
      const { mirror, agentUid } = sw;
      const bridges = mirror.list("Bridge");
      const nameOf = ({ columns }: { readonly columns: (typeof bridges)[number]["columns"] }): string =>
        String(findScalar(columns["name"]) ?? "");
      const bridgeOf = (lan: string): string => {
        const isIt = (row: (typeof bridges)[number]): boolean =>
          isOwned(row, agentUid) && readMap(row.columns["external_ids"]).get(tagKeys.lan) === lan;
        const found = bridges.find(isIt);
        if (found === undefined) throw notFound(`lans/${lan}`, "list them with: zor get lans");
        return nameOf(found);
      };
      return judgeTool(asked, { directory, bridges: new Set(bridges.map(nameOf)), bridgeOf });
    },
    run: ({ tool, argv }, signal) =>
      gate.run(async () => {
        try {
          // A bridge's name could be that of a socket in the directory that a tool runs in.
          const env = { OVS_RUNDIR: directory, OVS_DBDIR: directory, OVS_LOGDIR: directory };
          const options = { env, cwd: "/", signal, timeoutMs, acceptedExitCodes: allExitCodes, netns: sw.netns };
          return toAnswer(await run(tool, argv, options), directory);
        } catch (error) {
          if (!(error instanceof ToolError) || signal.aborted) throw error;
          throw unavailable("OVS_TOOL", "", error.isMissing ? error.message : `${tool} did not end in time`, error);
        }
      }),
  };
}

function toAnswer(
  { stdout, stderr, exitCode }: { readonly stdout: string; readonly stderr: string; readonly exitCode: number },
  directory: string,
): ToolAnswer {
  // Where the host has its files is nobody's business.
  const output = cut(stdout.replaceAll(`${directory}/`, ""), maxOutputBytes);
  const errorOutput = cut(stderr.replaceAll(`${directory}/`, ""), maxErrorBytes);
  const truncated = output.truncated || errorOutput.truncated;
  return { exitCode, output: output.text, errorOutput: errorOutput.text, truncated };
}

function cut(text: string, most: number): { readonly text: string; readonly truncated: boolean } {
  const bytes = Buffer.from(text);
  if (bytes.length <= most) return { text, truncated: false };
  // A character that is cut in two is left out.
  return { text: bytes.toString("utf8", 0, most).replace(/\uFFFD$/, ""), truncated: true };
}
