import { stat } from "node:fs/promises";
import { z } from "zod";
import type { Capability } from "../../../proto/gen/zor/v1/host.js";
import type { EngineClient } from "./engine-client.js";
import { packageOf, settingOf } from "./engine-error.js";
import { toldOf } from "../../host/told.js";

const versionSchema = z.object({ Version: z.string().max(64), Os: z.string().max(64).optional() });

/** Whether an engine can be used, and if not, why and what helps. Never throws. */
export async function probeEngine(
  client: EngineClient,
  { socketPath, signal }: { readonly socketPath: string; readonly signal: AbortSignal },
): Promise<readonly Capability[]> {
  const id = `driver.${client.product}`;
  const socket = await stat(socketPath).catch(() => undefined);
  if (socket === undefined || !socket.isSocket()) {
    const what = socket === undefined ? "there is no socket" : "there is no socket but something else";
    const reason = `${what} at ${socketPath}: install the package ${packageOf(client.product)} and start ${client.product}, or set ${settingOf(client.product)} in the agent's settings`;
    return [{ id, available: false, version: "", reason }];
  }
  try {
    const { Version: version } = await client.json({ method: "GET", path: "/version", signal }, versionSchema);
    return [{ id, available: true, version, reason: "" }];
  } catch (error) {
    return [{ id, available: false, version: "", reason: toldOf(error) }];
  }
}
