import { rm } from "node:fs/promises";
import type { Connection } from "../../lib/grpc/connection.js";
import { Role, TokenServiceService } from "../../proto/gen/zor/v1/token_service.js";
import { runZor } from "./cli.js";
import type { DemoLayout } from "./layout.js";
import { findPreviousContext, rememberPreviousContext } from "./state-file.js";

/** Lets the person at this machine join the demo's hub as an administrator, under a context of the demo's name, and makes it current. */
export async function ensureContext(hub: Connection, layout: DemoLayout, signal: AbortSignal): Promise<void> {
  if (await contextWorks(layout, signal)) return;
  const previous = await currentContext();
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
  await forgetContext(layout.name);
  await runZor(["join", "-", "--name", layout.name], { input: token, signal });
}

/** Forgets the demo's context and makes the one before it current again. */
export async function removeContext(layout: DemoLayout): Promise<void> {
  const wasCurrent = (await currentContext()) === layout.name;
  await forgetContext(layout.name);
  const previous = await findPreviousContext(layout.name);
  if (wasCurrent && previous !== undefined) await runZor(["context", "use", previous]).catch(() => undefined);
}

async function contextWorks(layout: DemoLayout, signal: AbortSignal): Promise<boolean> {
  if ((await currentContext()) !== layout.name) return false;
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
async function currentContext(): Promise<string | undefined> {
  const { current } = await listContexts();
  return current === "" ? undefined : current;
}

/** Removes a context, and its identity where `zor join` put it; nothing when there is none. */
async function forgetContext(name: string): Promise<void> {
  const context = (await listContexts()).contexts.find((each) => each.name === name);
  if (context === undefined) return;
  await runZor(["context", "remove", name]);
  if (context.identityDirectory.endsWith(`/identities/${name}`))
    await rm(context.identityDirectory, { recursive: true });
}
