import { exists } from "../../../lib/files.js";
import { run } from "../../host/exec.js";

/** Datapath of the bridges: the kernel's, or the one in ovs-vswitchd. */
export type Datapath = "system" | "netdev";

/** The kernel's datapath where it is, or can be loaded. */
export async function detectDatapath(): Promise<Datapath> {
  const loaded = () => exists("/sys/module/openvswitch");
  if (await loaded()) return "system";
  await run("modprobe", ["openvswitch"]).catch(() => undefined);
  return (await loaded()) ? "system" : "netdev";
}
