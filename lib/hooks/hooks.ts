import { mkdir } from "node:fs/promises";
import type { Hook as HookMessage, HookServiceService } from "../../proto/gen/zor/v1/hook_service.js";
import { invalidArgument, messageOf, notFound } from "../errors.js";
import { parseId } from "../names.js";
import type { Handlers } from "../grpc/service.js";
import type { AllowedNetworks } from "./hook-address.js";
import { Hook, type HookOptions } from "./hook.js";
import type { HookConfig } from "./hook-config.js";
import { post } from "./post.js";
import { runProgram } from "./run-program.js";

/** What the hooks of a program work with. */
export interface HooksOptions extends Pick<HookOptions, "events" | "directory" | "onTrouble" | "graceMs"> {
  readonly hooks: readonly HookConfig[];
  readonly networks: AllowedNetworks;
}

const mostIds = 1000;
const leastSecretLength = 16;

/** The hooks of a program, each at its own pace: none holds up the program or another. */
export class Hooks {
  readonly #hooks: readonly Hook[];
  readonly #stop = new AbortController();
  readonly #running: Promise<unknown>;

  private constructor(hooks: readonly Hook[]) {
    this.#hooks = hooks;
    this.#running = Promise.all(hooks.map((hook) => hook.run(this.#stop.signal)));
  }

  /** Begins to deliver. Hooks that cannot keep anything are told and left out; it never fails. */
  static async open({ hooks, networks, ...options }: HooksOptions): Promise<Hooks> {
    if (hooks.length === 0) return new Hooks([]);
    try {
      await mkdir(options.directory, { recursive: true, mode: 0o700 });
    } catch (error) {
      options.onTrouble(`the hooks have no place to keep how far they are: ${messageOf(error)}`);
    }
    return new Hooks(
      await Promise.all(hooks.map((config) => Hook.open({ ...options, config, ...actOf(config, networks) }))),
    );
  }

  /** How they do. */
  get states(): readonly HookMessage[] {
    return this.#hooks.map(({ state }) => state);
  }

  /** What of it is served. */
  get methods(): Handlers<typeof HookServiceService> {
    return {
      listHooks: async () => ({ hooks: [...this.states] }),
      listDeadLetters: async ({ hook }) => {
        const chosen = hook === "" ? this.#hooks : [this.#find(hook)];
        return { letters: chosen.flatMap(({ letters }) => letters) };
      },
      retryDeadLetters: async ({ hook, ids }) => ({ count: await this.#find(hook).retry(checkIds(ids)) }),
      dropDeadLetters: async ({ hook, ids }) => ({ count: await this.#find(hook).drop(checkIds(ids)) }),
    };
  }

  /** What is under way has a moment to end; what does not is done again by the next start. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  #find(name: string): Hook {
    const id = parseId("hook", name);
    const found = this.#hooks.find((hook) => hook.name === id);
    if (found === undefined) throw notFound(`hook ${name}`, "list them with: zor hooks list");
    return found;
  }
}

function checkIds(ids: readonly string[]): readonly string[] {
  if (ids.length > mostIds) throw invalidArgument("ids", `are more than ${mostIds}`);
  return ids;
}

function actOf(config: HookConfig, allowed: AllowedNetworks): Pick<HookOptions, "target" | "deliver"> {
  const { name, webhook, exec } = config;
  if (webhook !== undefined) {
    const { url, secretFile } = webhook;
    return {
      target: shownUrl(webhook.url),
      deliver: ({ id, body }, signal) => post({ url, secretFile, allowed, hook: name, delivery: id, body, signal }),
    };
  }
  const [file = "", ...argv] = exec ?? [];
  return {
    target: file,
    deliver: ({ body }, signal) => runProgram({ command: [file, ...argv], input: `${body}\n`, signal }),
  };
}

/** Where a webhook goes, for people. Many services have their secret in the path: long segments of it are not told, and no query is. */
export function shownUrl(url: string): string {
  const { origin, pathname } = new URL(url);
  const segments = pathname.split("/").map((segment) => (segment.length >= leastSecretLength ? "***" : segment));
  return `${origin}${segments.join("/")}`;
}
