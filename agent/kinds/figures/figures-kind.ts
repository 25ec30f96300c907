import { join } from "node:path";
import { messageOf, notFound } from "../../../lib/errors.js";
import { measuredKindOf } from "../../../lib/figures/subject-kind.js";
import type { FigureReading } from "../../../lib/metrics/figure-families.js";
import { EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import { FiguresServiceService } from "../../../proto/gen/zor/v1/figures_service.js";
import { Collector } from "../../figures/collector.js";
import { History, type HistoryNews } from "../../figures/history/history.js";
import { Devices } from "../../figures/sources/devices.js";
import { HostSource } from "../../figures/sources/host.js";
import { InstanceSource } from "../../figures/sources/instances.js";
import { NetworkSource } from "../../figures/sources/network.js";
import type { Subject } from "../../figures/subject.js";
import type { KindModule, KindPart } from "../../kit/context.js";
import { serve } from "../../kit/serve.js";
import type { AgentContext } from "../../parts.js";
import { findHow } from "./how-measured.js";
import { readHistory } from "./read-history.js";
import { watchFigures } from "./watch-figures.js";

/** Figures, for the list of kinds; they are no resources. Comes behind those that are measured. */
export const figuresKind: KindModule<AgentContext> = { kind: "figures", open };

async function open(context: AgentContext): Promise<KindPart> {
  const { scope, logError, now, host } = context;
  const collector = new Collector((error) => logError(error, "not all figures of the host can be read"));
  const stopLooking = addSources(context, collector);
  const history = await openHistory(context);
  const stopKeeping = history === undefined ? () => undefined : collector.listen((sample) => history.record(sample));
  return {
    methods: [
      serve(FiguresServiceService, {
        watchFigures: (request, { signal }) => {
          for (const name of request.names) if (name.startsWith("hosts/")) scope.parseHostOf("names", name);
          return watchFigures(collector, request, { host, signal });
        },
        readHistory: async (request) => {
          const { name } = request;
          if (name.startsWith("hosts/")) scope.parseHostOf("name", name);
          const series = await readHistory(history, request, { host, nowMs: now().getTime() });
          const [, , plural = "", id = ""] = name.split("/");
          const kind = measuredKindOf(name) ?? "";
          // Of what has gone there may be history.
          if (
            series.length === 0 &&
            plural !== "" &&
            !context.references.has(kind, id) &&
            history?.knows(name) !== true
          )
            throw notFound(name, `list what there is with: zor get ${plural}`);
          return { series };
        },
      }),
    ],
    measured: () => [...collector.subjects.all].map(toReading),
    run: (signal) => collector.run(signal),
    close: async () => {
      stopLooking();
      // Nothing is recorded any more when the file is let go of.
      stopKeeping();
      await history?.close();
    },
  };
}

function toReading({ name, part, figures, values }: Subject): FigureReading {
  return { name, part, valueAt: (figure) => values[figures.indexOf(figure)] };
}

/** What the agent knows is measured. Returns the way to stop being told of it. */
function addSources(context: AgentContext, collector: Collector): () => void {
  const { settings, references, publisher, parts, signal, host } = context;
  const { subjects } = collector;
  const devices = new Devices(settings.netns);
  const access = context.instances.get();
  const instances = new InstanceSource({
    subjects,
    devices,
    findHow: (name) => findHow(access, name, signal),
  });
  const network = new NetworkSource({
    ...{ subjects, devices },
    lans: () => references.list("lan"),
    wires: () => references.list("wire"),
    pluggedEnds: () => parts.cables?.plugger.pluggedEnds?.() ?? [],
  });
  const readDevices = { collect: () => devices.read(), close: () => undefined };
  collector.add(new HostSource(subjects, host), readDevices, instances, network);
  access.onChanged((instance) => instances.note(instance));
  access.onRemoved(({ id }) => instances.forget(`hosts/${host}/instances/${id}`));
  for (const instance of access.list()) instances.note(instance);
  publisher.listen("wire", () => network.changed());
  const stops = [
    parts.network.onChange(() => network.changed()),
    ...(parts.cables === undefined ? [] : [parts.cables.plugger.onChange(() => network.changed())]),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

/** Undefined: none is kept. What is wrong is told; figures are collected all the same. */
async function openHistory({ settings, publisher, log, host }: AgentContext): Promise<History | undefined> {
  if (settings.figuresMib === 0) return undefined;
  const onNews = ({ kind, message }: HistoryNews): void => {
    log.warn({ kind }, message);
    const isGood = kind === "resumed";
    const severity = isGood ? EventSeverity.EVENT_SEVERITY_INFO : EventSeverity.EVENT_SEVERITY_WARNING;
    publisher.event({ severity, type: `host.figures-${kind}`, resource: `hosts/${host}`, message, caller: "" });
  };
  try {
    return await History.open({
      path: join(settings.state, "figures", "history"),
      fileMib: settings.figuresMib,
      onNews,
    });
  } catch (error) {
    const message = `no history of figures is kept until the agent is started again: ${messageOf(error)}`;
    onNews({ kind: "stopped", message });
    return undefined;
  }
}
