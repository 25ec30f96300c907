import type { ProcessIdentity } from "../../../lib/process.js";
import { watchExit } from "../../host/process-exit.js";
import type { DriverInstance } from "../driver-instance.js";
import { findOomReason, type MachineEnd, saysWhoEndedIt, toMachineEnd } from "./machine-end.js";
import { lastMessage } from "./run-directory.js";

/** How a machine ended that nobody observed, from what it left; undefined when that tells nothing. */
export async function reconstructEnd(
  instance: DriverInstance,
  identity: ProcessIdentity,
): Promise<MachineEnd | undefined> {
  using watch = watchExit(identity);
  const exit = await watch.find();
  const oomKill = await findOomReason(identity, exit);
  const said = await lastMessage(instance);
  // A warning in its log says nothing about its end.
  if (exit === undefined && oomKill === undefined && !saysWhoEndedIt(said)) return undefined;
  return toMachineEnd({ wanted: false, shutdownReason: undefined, exit, said, oomKill });
}
