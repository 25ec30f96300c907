import type { PoolSpec } from "../../../../proto/gen/zor/v1/pool.js";
import type { StoragePool, StorageVolume } from "../../../../agent/storage/pool-backend.js";
import type { RunTool } from "../../../../agent/storage/storage-tool.js";

/** What a scripted tool answers: text, an exit code, or an error. */
export type Answer = string | { readonly stdout?: string; readonly stderr?: string; readonly exitCode: number } | Error;

/** Tools that answer as they are told, and remember how they were called. */
export function scriptedTools(answer: (tool: string, argv: readonly string[]) => Answer): {
  readonly run: RunTool;
  readonly calls: string[];
} {
  const calls: string[] = [];
  return {
    calls,
    run: async ({ tool, argv }) => {
      calls.push([tool, ...argv].join(" "));
      const said = answer(tool, argv);
      if (said instanceof Error) throw said;
      if (typeof said === "string") return { stdout: said, stderr: "", exitCode: 0 };
      return { stdout: "", stderr: "", ...said };
    },
  };
}

const poolName = "hosts/h/pools/p";

export function poolOf(backend: NonNullable<PoolSpec["backend"]>): StoragePool {
  return { id: "p", uid: "pool-uid", name: poolName, spec: { description: "", backend } };
}

export function volumeOf(format: "raw" | "qcow2" = "raw"): StorageVolume {
  return { uid: "0b9e-77", name: "hosts/h/volumes/v", sizeBytes: 100n * 1024n * 1024n, format };
}
