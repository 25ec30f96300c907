import type { TestContext } from "vitest";
import { BoxRig } from "../a2b/box-rig.js";
import { type TestHost, type TwoHosts, underlayDevice } from "../c2c/two-hosts.js";
import { type CopyPace, copying } from "./copying.js";
import { readEnd } from "../../helpers/engine-words.js";

/** Copies over a slow and lossy underlay. Resolves, once all has arrived, to the hosts and to the states each end of the cable had. */
export async function copySlowly(
  context: TestContext,
  pace: CopyPace,
): Promise<{ readonly hosts: TwoHosts; readonly states: readonly (readonly string[])[] }> {
  const { hosts, copy } = await copying(context, pace, async (made) => {
    const box = await slowUnderlay(made);
    context.onTestFinished(() => box[Symbol.asyncDispose]());
  });
  const watching = new AbortController();
  const states = Promise.all(hosts.hosts.map((host) => statesOf(host, watching.signal)));
  await copy.done;
  watching.abort();
  return { hosts, states: await states };
}

/** States of an end from now on until the signal, each with its reason, the present one included. */
async function statesOf(host: TestHost, signal: AbortSignal): Promise<readonly string[]> {
  const states = new Set<string>();
  for await (const { ends } of host.cables.watch(signal)) {
    for (const { phase, reason } of ends.map(readEnd)) states.add(reason === "" ? phase : `${phase}: ${reason}`);
  }
  return [...states];
}

/**
 * Puts a box of our own between two hosts in place of their wire: 150 ms in each direction, 5 % of the frames lost in each.
 * Connections that are there go on through it.
 */
async function slowUnderlay(hosts: TwoHosts): Promise<AsyncDisposable> {
  const impairment = { delayMs: 150, lossRatio: 0.05 };
  const rig = await BoxRig.make({ aToB: impairment, bToA: impairment });
  await hosts.a.underlay.ip("link", "delete", underlayDevice);
  const [sideA, sideB] = rig.view().sides;
  for (const [host, netns, { port }] of [
    [hosts.a, rig.a, sideA],
    [hosts.b, rig.b, sideB],
  ] as const) {
    await netns.ip("link", "set", port, "netns", host.underlay.name);
    await host.underlay.ip("address", "add", `${host.underlayIp}/24`, "dev", port);
    await host.underlay.ip("link", "set", port, "txqueuelen", "2048", "up");
  }
  return rig;
}
