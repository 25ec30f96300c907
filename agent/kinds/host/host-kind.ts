import { status } from "@grpc/grpc-js";
import { pause } from "../../../lib/backoff.js";
import { ZorError } from "../../../lib/errors.js";
import type { Handlers } from "../../../lib/grpc/service.js";
import { failedPrecondition } from "../../../lib/errors.js";
import { checkQuery, streamLog } from "../../../lib/logs/stream-log.js";
import { HostLogServiceService } from "../../../proto/gen/zor/v1/log_service.js";
import { listPage } from "../../../lib/list/list.js";
import type { Host } from "../../../proto/gen/zor/v1/host.js";
import { OvsServiceService } from "../../../proto/gen/zor/v1/ovs_service.js";
import { ShellServiceService } from "../../../proto/gen/zor/v1/shell_service.js";
import { HostServiceService as methods } from "../../../proto/gen/zor/v1/host_service.js";
import { probeDriver } from "../../drivers/probe.js";
import { type Probe, probeHost, takeFingerprint } from "../../host/fingerprint.js";
import { shellCapability } from "../../host/shell/shell-policy.js";
import type { KindModule, KindPart } from "../../kit/context.js";
import type { HostScope } from "../../kit/host-scope.js";
import { serve } from "../../kit/serve.js";
import type { AgentContext } from "../../parts.js";
import { HostFacts } from "./host-facts.js";
import { Shells } from "./shell-service.js";
import { ovsService } from "./ovs-service.js";

const usageIntervalMs = 5000;

/** This host itself, for the list of kinds: an agent shows it and registers none. */
export const hostKind: KindModule<AgentContext> = { kind: "host", open: async (context) => open(context) };

function open(context: AgentContext): KindPart {
  const facts = new HostFacts(context);
  const shells = new Shells(context);
  const publish = (): void => {
    const host = facts.read();
    context.publisher.publish("host", host, { ...host, lastSeenTime: undefined, lastSeenAge: undefined } as Host);
  };
  return {
    methods: [
      serve(
        methods,
        hostService(context.scope, () => facts.read()),
      ),
      serve(HostLogServiceService, hostLogService(context)),
      serve(OvsServiceService, ovsService(context)),
      serve(ShellServiceService, shells.handlers),
    ],
    close: () => shells.close(),
    run: async (signal) => {
      await Promise.all([followUsage(context, facts, { publish, signal }), probe(context, facts, { publish, signal })]);
    },
  };
}

function hostLogService({ scope, keptLog }: AgentContext): Handlers<typeof HostLogServiceService> {
  return {
    readHostLog: async function* ({ name, query: asked }, { signal }) {
      scope.parseSelf("name", name);
      const query = checkQuery(asked);
      if (keptLog === undefined) throw failedPrecondition("NO_LOG", name, "this agent keeps no log");
      for await (const piece of streamLog(await keptLog.open(query), query, signal)) yield { piece };
    },
  };
}

function hostService(scope: HostScope, readHost: () => Host): Handlers<typeof methods> {
  return {
    getHost: async ({ name }) => {
      scope.parseSelf("name", name);
      return { host: readHost() };
    },
    listHosts: async (request) => {
      const page = listPage([readHost()], request, "zor.v1.Host");
      return { hosts: page.items, nextPageToken: page.nextPageToken, totalSize: page.totalSize, unreachable: [] };
    },
    createHost: async () => {
      throw hubOnly("registers");
    },
    updateHost: async () => {
      throw hubOnly("changes");
    },
    deleteHost: async () => {
      throw hubOnly("forgets");
    },
  };
}

interface Work {
  readonly publish: () => void;
  readonly signal: AbortSignal;
}

/** Finds out what the host can do. */
async function probe({ settings, parts, logError }: AgentContext, facts: HostFacts, work: Work): Promise<void> {
  const { publish, signal } = work;
  try {
    const fingerprint = await takeFingerprint({
      probes: [
        parts.probeHost ?? probeHost,
        ...parts.drivers.map(
          (driver): Probe =>
            (call) =>
              probeDriver(driver, call),
        ),
        async () => [shellCapability(settings.hostShell)],
      ],
      imageDirs: settings.imageDirs,
      stateDirectory: settings.state,
      signal,
    });
    facts.setFingerprint(fingerprint);
    publish();
  } catch (error) {
    if (!signal.aborted) logError(error, "the host could not be probed");
  }
}

/** Keeps the host's own entry current for watchers. */
async function followUsage({ logError }: AgentContext, facts: HostFacts, { publish, signal }: Work): Promise<void> {
  while (!signal.aborted) {
    try {
      await facts.refresh();
      publish();
    } catch (error) {
      logError(error, "the host's own state could not be read");
    }
    await pause(usageIntervalMs, signal);
  }
}

function hubOnly(verb: string): ZorError {
  return new ZorError({
    reason: "HUB_ONLY",
    code: status.UNIMPLEMENTED,
    message: `an agent ${verb} no hosts; ask the hub`,
  });
}
