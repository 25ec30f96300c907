import { randomBytes } from "node:crypto";
import { failedPrecondition, messageOf } from "../../../lib/errors.js";
import { run, runJson } from "../../host/exec.js";
import { ipBatch } from "../ip.js";

/** Where filters are: the switch's net namespace. */
interface Place {
  readonly netns: string;
  readonly signal?: AbortSignal | undefined;
}

/** Which of a port's filters is ours: others of the same port keep theirs. */
const priority = "49";

/**
 * Has the kernel give every frame that comes in at a port to another one, whole super-frames and tags included, before any protocol or
 * switch sees it (tc-mirred(8)). Idempotent. @throws {ToolError}
 */
export async function redirect(from: string, to: string, { netns, signal }: Place): Promise<void> {
  const match = ["u32", "match", "u32", "0", "0"];
  const action = ["action", "mirred", "egress", "redirect", "dev", to];
  const filter = ["dev", from, "ingress", "protocol", "all", "prio", priority];
  // Not replaced by its handle: u32 numbers the tables of both directions of a port together, so that a number may be another filter's.
  await stopRedirect(from, { netns, signal });
  await tcBatch(
    [
      // One that is there keeps its filters.
      ["qdisc", "replace", "dev", from, "clsact"],
      ["filter", "add", ...filter, ...match, ...action],
    ],
    { netns, signal },
  );
}

/** Takes {@link redirect} back. Idempotent; a port that is gone has no filters. */
export async function stopRedirect(from: string, { netns, signal }: Place): Promise<void> {
  const filter = ["dev", from, "ingress", "protocol", "all", "prio", priority];
  await run("tc", ["-n", netns, "filter", "delete", ...filter], { signal, acceptedExitCodes: [0, 1, 2] });
}

/** Whether the frames of a port go to another one. */
export async function isRedirected(from: string, to: string, { netns, signal }: Place): Promise<boolean> {
  const show = ["-n", netns, "-j", "filter", "show", "dev", from, "ingress", "prio", priority];
  const shown = await runJson("tc", show, { signal, acceptedExitCodes: [0, 1, 2] });
  // iproute2 prints an array of objects.
  const filters = (shown ?? []) as readonly { readonly options?: { readonly actions?: readonly ShownAction[] } }[];
  const actions = filters.flatMap(({ options }) => options?.actions ?? []);
  return actions.length === 1 && actions[0]?.kind === "mirred" && actions[0].to_dev === to;
}

interface ShownAction {
  readonly kind?: string;
  readonly to_dev?: string;
}

/** @throws {ZorError} FAILED_PRECONDITION naming what this kernel lacks; tried with a pair of devices that is gone at once. */
export async function assertRedirects({ netns, signal }: Place): Promise<void> {
  const name = `zw${randomBytes(5).toString("hex")}`;
  const [a, b] = [`${name}a`, `${name}b`];
  try {
    await ipBatch([["link", "add", a, "type", "veth", "peer", "name", b]], { netns, signal });
    await redirect(a, b, { netns, signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw failedPrecondition(
      "WIRES_MISSING",
      "",
      `this host cannot make wires: its kernel needs the modules veth, sch_ingress, cls_u32 and act_mirred, and the host the tools ip and tc (package iproute2): ${messageOf(error)}`,
    );
  } finally {
    await ipBatch([["link", "delete", a]], { netns }).catch(() => undefined);
  }
}

async function tcBatch(commands: readonly (readonly string[])[], { netns, signal }: Place): Promise<void> {
  const input = `${commands.map((words) => words.join(" ")).join("\n")}\n`;
  await run("tc", ["-n", netns, "-batch", "-"], { signal, input });
}
