import { join } from "node:path";
import { z } from "zod";
import { failedPrecondition } from "../../../lib/errors.js";
import type { ProcessIdentity } from "../../../lib/process.js";
import type { InstanceNetwork } from "../../network/instance-networks.js";
import { isNetnsOf } from "../../network/netns.js";
import { takeOverNetns } from "../../network/netns-takeover.js";
import type { DriverInstance } from "../driver.js";
import { nameLabel, toContainerName, uidLabel } from "./container-state.js";
import type { EngineClient } from "./engine-client.js";

/** What a container without another one's network has of its engine. */
export const noNetwork = "none";

const runningSchema = z.array(
  z.object({
    Id: z.string().regex(/^[0-9a-f]{64}$/),
    Names: z.array(z.string().max(256)),
    Labels: z.record(z.string(), z.string()).nullish(),
  }),
);

/** Whose network a container joins. */
interface Joined {
  readonly instance: Pick<DriverInstance, "name">;
  /** Id of the other instance; "": none. */
  readonly networkOf: string;
  /** Name of its net namespace. */
  readonly netns: string;
  readonly signal: AbortSignal;
}

/**
 * The engine's word for the network of a container. podman takes a namespace; Docker takes the id of another container of its own, which is
 * another one after each start.
 * @throws {ZorError} FAILED_PRECONDITION when Docker does not run the other one.
 */
export async function networkModeOf(client: EngineClient, joined: Joined): Promise<string> {
  const { instance, networkOf, netns, signal } = joined;
  if (networkOf === "") return noNetwork;
  if (client.product === "podman") return `ns:${join("/run/netns", netns)}`;
  const owner = instance.name.replace(/[^/]+$/, networkOf);
  const query = { filters: JSON.stringify({ label: [`${nameLabel}=${owner}`] }) };
  const running = await client.json({ method: "GET", path: "/containers/json", query, signal }, runningSchema);
  // Whoever else gives a container such a label gives it another name.
  const found = running.find(({ Names: names, Labels: labels }) =>
    names.includes(`/${toContainerName(labels?.[uidLabel] ?? "")}`),
  );
  if (found !== undefined) return `container:${found.Id}`;
  const what = `${instance.name} joins the network of ${owner}, which ${client.product} does not run`;
  throw failedPrecondition("NETWORK_NOT_RUNNING", instance.name, `${what}; start that first`);
}

/**
 * Gives a container that has just begun its interfaces, or sees that it has those of whose network it joins.
 * @throws {ZorError} FAILED_PRECONDITION when it has ended, or is in another network.
 */
export async function plugIn(
  {
    instance,
    networkOf,
    sysctls,
  }: Pick<Joined, "instance" | "networkOf"> & { readonly sysctls: Record<string, string> },
  { network, process, signal }: { network: InstanceNetwork; process: ProcessIdentity; signal: AbortSignal },
): Promise<void> {
  if (networkOf === "") {
    await takeOverNetns({ network, process, sysctls, signal });
    return;
  }
  if (await isNetnsOf(network.netns, process.pid)) return;
  const what = `${instance.name} has ended, or is not in the network of ${networkOf}`;
  throw failedPrecondition("NETWORK_NOT_JOINED", instance.name, `${what}; look at that one and start this again`);
}
