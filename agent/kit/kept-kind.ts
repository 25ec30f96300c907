import { pause } from "../../lib/backoff.js";
import type { KindContext, KindModule, KindPart } from "./context.js";
import { Keeper } from "./keeper.js";
import type { AgentKind, HostResource } from "./kind.js";
import { standardMethods } from "./standard-methods.js";

/**
 * A kind whose resources the kit keeps.
 * @param kind its singular.
 * @param make makes it for a host; undefined: this host has none.
 */
export function keptKind<R extends HostResource, Context extends KindContext = KindContext>(
  kind: string,
  make: (context: Context) => AgentKind<R> | undefined,
): KindModule<Context> {
  return {
    kind,
    open: async (context) => {
      const made = make(context);
      return made === undefined ? undefined : open(made, context);
    },
  };
}

async function open<R extends HostResource>(kind: AgentKind<R>, context: KindContext): Promise<KindPart> {
  const keeper = new Keeper(kind, context);
  await keeper.restore();
  const verbs = {
    create: (id: string, wanted: R, change: Parameters<typeof keeper.create>[2]) => keeper.create(id, wanted, change),
    get: (id: string) => keeper.get(id),
    list: () => keeper.list(),
    update: (...given: Parameters<typeof keeper.update>) => keeper.update(...given),
    delete: (...given: Parameters<typeof keeper.delete>) => keeper.delete(...given),
  };
  return {
    methods: [...standardMethods(kind.kind, verbs, context.scope), ...(kind.verbs?.(keeper) ?? [])],
    source: keeper,
    run: async (signal) => {
      const { refreshMs } = kind;
      while (refreshMs !== undefined && !signal.aborted) {
        await pause(refreshMs, signal);
        await kind.refresh?.(keeper);
        keeper.publish();
      }
    },
    close: async () => kind.close?.(),
  };
}
