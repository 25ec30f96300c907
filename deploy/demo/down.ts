import { readdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { messageOf } from "../../lib/errors.js";
import type { Connection } from "../../lib/grpc/connection.js";
import { endProcess, findProcesses } from "../../lib/process.js";
import { timeLimit } from "../../lib/time-limit.js";
import { listed } from "../../lib/words.js";
import { A2bServiceService, ListA2bsRequest } from "../../proto/gen/zor/v1/a2b_service.js";
import { InstanceServiceService, ListInstancesRequest } from "../../proto/gen/zor/v1/instance_service.js";
import { LanServiceService, ListLansRequest } from "../../proto/gen/zor/v1/lan_service.js";
import { LinkServiceService, ListLinksRequest } from "../../proto/gen/zor/v1/link_service.js";
import { removeContext } from "./context.js";
import { findControlGroups, removeControlGroups } from "./control-groups.js";
import { finish, openDemoHub } from "./hub-client.js";
import { type DemoLayout, demoDirectory, layOut, preferredBlock } from "./layout.js";
import { lockDemo } from "./lock.js";
import { listHubInterfaces, listNamespaces, removeNetwork } from "./network.js";
import { type DemoProgram, findProgram, hubProgram, supervisedPrograms, supervisorProgram } from "./programs.js";
import type { Progress } from "./progress.js";
import { findLayout } from "./state-file.js";
import { runTool } from "./tool.js";

/** Number of steps {@link takeDown} shows. */
export const downSteps = 4;

/** How long the agents may take to delete what they made before it is removed without them. */
const politeMs = 30_000;

/**
 * Removes a demo, whole or half-built: guests, lans and link through the API where that answers, then every process, namespace,
 * interface, mount and file of it. Idempotent.
 * @throws {Error} naming what is still there at the end.
 */
export async function takeDown(name: string, progress: Progress): Promise<void> {
  await using _lock = await lockDemo(name);
  const known = await findLayout(name).catch(() => undefined);
  const layout = known ?? layOut(name, preferredBlock(name));
  await progress.step("links, boxes, guests and lans", async () => {
    if (known === undefined) return;
    const problem = await askForRemoval(layout);
    if (problem !== undefined) progress.say(`      what is left is removed without the hub: ${problem}`);
  });
  await progress.step("supervisor, agents and hub", async () => {
    // The supervisor first: it would start the others again.
    await endProgram(supervisorProgram(layout));
    await Promise.all(supervisedPrograms(layout).map(endProgram));
  });
  await progress.step("namespaces, interfaces, mounts and files", async () => {
    if (known !== undefined) {
      await removeContext(layout).then(
        (current) => current !== undefined && progress.say(`      context ${current} is the current one again`),
        (error: unknown) => progress.say(`      context: ${messageOf(error)}`),
      );
    }
    await removeNetwork(layout);
    await endStrays(layout);
    await removeControlGroups(await findControlGroups(layout));
    await unmountAll(layout.directory);
    await rm(layout.directory, { recursive: true, force: true });
  });
  const left = await progress.step("looking for anything left", () => findRemains(layout));
  if (left.length > 0) throw new Error(`demo ${name} is down, but this is left: ${left.join(", ")}`);
}

async function endProgram(program: DemoProgram): Promise<void> {
  const identity = await findProgram(program);
  if (identity !== undefined) await endProcess(identity, 10_000);
}

/** Deletes through the hub what was created through it. Resolves to the reason when it could not. */
async function askForRemoval(layout: DemoLayout): Promise<string | undefined> {
  const signal = timeLimit(politeMs);
  let hub: Connection | undefined;
  if ((await findProgram(hubProgram(layout))) === undefined) return "it does not run";
  try {
    hub = await openDemoHub(layout);
    await hub.ready(3000);
    // What is plugged into something goes before it; one that cannot be deleted does not keep the others.
    const problems = [
      ...(await deleteLinks(hub, signal)),
      ...(await deleteBoxes(hub, signal)),
      ...(await deleteInstances(hub, signal)),
      ...(await deleteLans(hub, signal)),
    ];
    return problems.length === 0 ? undefined : listed(problems, 3);
  } catch (error) {
    return messageOf(error);
  } finally {
    hub?.close();
  }
}

async function deleteLinks(hub: Connection, signal: AbortSignal): Promise<string[]> {
  const { links } = await hub.unary(LinkServiceService.listLinks, ListLinksRequest.fromPartial({}), { signal });
  return deleteAll(links, async (request) => {
    const { operation } = await hub.unary(LinkServiceService.deleteLink, request, { signal });
    await finish(hub, operation, signal);
  });
}

async function deleteBoxes(hub: Connection, signal: AbortSignal): Promise<string[]> {
  const { a2bs } = await hub.unary(A2bServiceService.listA2Bs, ListA2bsRequest.fromPartial(everywhere), { signal });
  return deleteAll(a2bs, (request) => hub.unary(A2bServiceService.deleteA2B, request, { signal, timeoutMs: politeMs }));
}

async function deleteInstances(hub: Connection, signal: AbortSignal): Promise<string[]> {
  const request = ListInstancesRequest.fromPartial(everywhere);
  const { instances } = await hub.unary(InstanceServiceService.listInstances, request, { signal });
  return deleteAll(instances, (deletion) =>
    hub.unary(InstanceServiceService.deleteInstance, { ...deletion, force: true }, { signal, timeoutMs: politeMs }),
  );
}

async function deleteLans(hub: Connection, signal: AbortSignal): Promise<string[]> {
  const { lans } = await hub.unary(LanServiceService.listLans, ListLansRequest.fromPartial(everywhere), { signal });
  return deleteAll(lans, (request) => hub.unary(LanServiceService.deleteLan, request, { signal, timeoutMs: politeMs }));
}

const everywhere = { parent: "hosts/-", pageSize: 5000 };

interface Deletion {
  readonly name: string;
  readonly requestId: string;
  readonly validateOnly: boolean;
}

/** Deletes resources at the same time. Resolves to what could not be deleted, each with its reason. */
async function deleteAll(
  resources: readonly { readonly name: string }[],
  remove: (request: Deletion) => Promise<unknown>,
): Promise<string[]> {
  const results = await Promise.allSettled(
    resources.map(({ name }) => remove({ name, requestId: crypto.randomUUID(), validateOnly: false })),
  );
  return results.flatMap((result, index) => {
    if (result.status === "fulfilled") return [];
    const name = resources[index]?.name ?? "";
    const reason = messageOf(result.reason);
    return [reason.includes(name) ? reason : `${name}: ${reason}`];
  });
}

/** Ends what names the demo's directory on its command line and lives in no namespace of the demo. */
async function endStrays(layout: DemoLayout): Promise<void> {
  await Promise.all((await findStrays(layout)).map((identity) => endProcess(identity, 2000)));
}

function findStrays(layout: DemoLayout) {
  return findProcesses((argv) => argv.some((argument) => argument.includes(`${layout.directory}/`)));
}

async function unmountAll(directory: string): Promise<void> {
  // The deepest first.
  for (const mount of (await mountsBelow(directory)).toSorted((a, b) => b.length - a.length)) {
    await runTool("umount", ["--lazy", mount]);
  }
}

async function mountsBelow(directory: string): Promise<string[]> {
  const lines = (await readFile("/proc/self/mountinfo", "utf8")).trim().split("\n");
  return lines.map((line) => line.split(" ")[4] ?? "").filter((mount) => mount.startsWith(`${directory}/`));
}

/** Everything of the demo that can be found on the machine, named for people. */
async function findRemains(layout: DemoLayout): Promise<string[]> {
  const namespaces = (await listNamespaces()).filter((name) => name.startsWith(layout.namespacePrefix));
  const files = await readdir(dirname(demoDirectory(layout.name))).catch(() => []);
  return [
    ...(await findStrays(layout)).map(({ pid }) => `process ${pid}`),
    ...namespaces.map((name) => `namespace ${name}`),
    ...(await listHubInterfaces(layout)).map((name) => `interface ${name}`),
    ...(await mountsBelow(layout.directory)).map((mount) => `mount ${mount}`),
    ...files.filter((file) => file === layout.name).map((file) => join(dirname(layout.directory), file)),
  ];
}
