import { rm } from "node:fs/promises";
import type { Connection } from "../../lib/grpc/connection.js";
import { Role, TokenServiceService } from "../../proto/gen/zor/v1/token_service.js";
import { runZor } from "./cli.js";
import type { DemoLayout } from "./layout.js";
import { findPreviousContext, rememberPreviousContext } from "./state-file.js";

/**
 * Lets the person at this machine join the demo's hub as an administrator, under a context of the demo's name, and makes it current.
 * Resolves to what plain commands do from now on.
 */
export async function ensureContext(hub: Connection, layout: DemoLayout, signal: AbortSignal): Promise<string> {
  const known = await listContexts();
  if (known.current === layout.name && (await contextWorks(layout, signal)))
    return `context ${layout.name} is the current one, as before`;
  const previous = currentOf(known);
  if (previous !== undefined && previous !== layout.name) await rememberPreviousContext(layout, previous);
  const { token } = await hub.unary(
    TokenServiceService.createToken,
    {
      subject: { $case: "userId", value: "demo" },
      role: Role.ROLE_ADMIN,
      ttl: undefined,
      requestId: crypto.randomUUID(),
    },
    { signal },
  );
  await forgetContext(layout.name, known);
  await runZor(["join", "-", "--name", layout.name], { input: token, signal });
  const instead =
    previous === undefined || previous === layout.name ? "" : `, instead of ${previous} until the demo goes down`;
  return `context ${layout.name} is the current one now${instead}: plain zor commands go to this demo`;
}

/** Forgets the demo's context and makes the one before it current again; resolves to its name when it did. */
export async function removeContext(layout: DemoLayout): Promise<string | undefined> {
  const known = await listContexts();
  const wasCurrent = currentOf(known) === layout.name;
  await forgetContext(layout.name, known);
  const previous = await findPreviousContext(layout.name);
  if (!wasCurrent || previous === undefined) return undefined;
  return runZor(["context", "use", previous]).then(
    () => previous,
    () => undefined,
  );
}

async function contextWorks(layout: DemoLayout, signal: AbortSignal): Promise<boolean> {
  return runZor(["get", "hosts", "-o", "json"], { context: layout.name, signal }).then(
    () => true,
    () => false,
  );
}

/** What `zor context list -o json` prints. */
interface ContextList {
  /** Empty: none. */
  readonly current: string;
  readonly contexts: readonly { readonly name: string; readonly identityDirectory: string }[];
}

async function listContexts(): Promise<ContextList> {
  return JSON.parse(await runZor(["context", "list", "-o", "json"])) as ContextList; // the program's own form
}

/** Name of the context in use; undefined when there is none. */
function currentOf({ current }: ContextList): string | undefined {
  return current === "" ? undefined : current;
}

/** Removes a context, and its identity where `zor join` put it; nothing when there is none. */
async function forgetContext(name: string, { contexts }: ContextList): Promise<void> {
  const context = contexts.find((each) => each.name === name);
  if (context === undefined) return;
  await runZor(["context", "remove", name]);
  if (context.identityDirectory.endsWith(`/identities/${name}`))
    await rm(context.identityDirectory, { recursive: true });
}
