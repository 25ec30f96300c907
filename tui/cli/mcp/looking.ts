import { z } from "zod";
import { invalidArgument } from "../../../lib/errors.js";
import { allFigures, figureNamed } from "../../../lib/figures/figure-table.js";
import { commentOf } from "../../../lib/kinds/comments.js";
import { kindNamed } from "../../../lib/kinds/kinds.js";
import { requestOf } from "../../../lib/kinds/verbs.js";
import { timeLimit } from "../../../lib/time-limit.js";
import { Event, EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import { EventQuery } from "../../../proto/gen/zor/v1/event_service.js";
import {
  FiguresServiceService,
  ReadHistoryRequest,
  ReadHistoryResponse,
} from "../../../proto/gen/zor/v1/figures_service.js";
import { DiagnoseLinkResponse, LinkServiceService } from "../../../proto/gen/zor/v1/link_service.js";
import { newestEvents } from "../../client/events.js";
import { parsePast } from "../../kit/input/past.js";
import { asMethod } from "../change.js";
import { kindsWith, listJson, listKind, parseKind, standardMethod } from "../kinds.js";
import { measuredName } from "../measured-name.js";
import { responseJson } from "../output/proto-json.js";
import { resolveName } from "../resolve.js";
import type { Session } from "../session.js";
import { defineTool, type Tool } from "./tool.js";

const filterHelp =
  "filter over fields, such as: status.state = RUNNING AND spec.memory_mib > 512, or labels.site = paris; empty: everything";

/** Tools that change nothing. */
export function lookingTools(session: Session): readonly Tool[] {
  return [
    defineTool({
      name: "list_kinds",
      title: "List kinds of resources",
      description: "The kinds of resources of the fleet (hosts, instances, lans, links ...), with what each is.",
      input: {},
      run: async () => ({
        kinds: kindsWith("list").map(({ singular, plural, type }) => ({
          kind: singular,
          plural,
          about: commentOf(type),
        })),
      }),
    }),
    defineTool({
      name: "list_resources",
      title: "List resources",
      description:
        "Resources of one kind on all hosts, or one. Hosts that could not be asked are named in `unreachable`: what is shown of them may be old.",
      input: {
        kind: z.string().max(64).describe("kind, such as instance"),
        filter: z.string().max(2000).default("").describe(filterHelp),
        host: z.string().max(64).optional().describe("only on this host, by its id"),
        order_by: z.string().max(200).default("").describe("field, or field and desc"),
        limit: z.number().int().min(1).max(500).default(100),
      },
      run: async ({ kind: word, filter, host, order_by: orderBy, limit }) => {
        const kind = parseKind(word, "list");
        const query = { filter, orderBy, ...(host === undefined ? {} : { host }) };
        const { resources, unreachable } = await listKind(await session.connect(), kind, query, session.readOptions());
        const shown = resources.slice(0, limit);
        const json = Object(await listJson(kind, shown, unreachable));
        return { ...json, totalSize: resources.length, leftOut: resources.length - shown.length };
      },
    }),
    defineTool({
      name: "describe_resource",
      title: "Describe a resource",
      description:
        "All that is known of one resource: what it should be (spec) and what it is observed to be (status).",
      input: {
        kind: z.string().max(64).describe("kind, such as instance"),
        name: z.string().max(300).describe("full name, HOST/NAME, or NAME when only one has it"),
      },
      run: async ({ kind: word, name }) => {
        const kind = parseKind(word, "get");
        const { method, rule } = standardMethod(kind, "get");
        const request = requestOf(method, { [rule.route]: await resolveName(session, kind, name) });
        return Object(responseJson(asMethod({ method }), Object(await session.call(asMethod({ method }), request))));
      },
    }),
    defineTool({
      name: "explain",
      title: "Explain a kind or field",
      description:
        "What a kind of resource, or a field of it, is, from the documentation of the API: instance, lan.spec.mtu ...",
      input: { what: z.string().max(300) },
      run: async ({ what }) => (await import("../commands/explain.js")).factsOf(what),
    }),
    defineTool({
      name: "query_events",
      title: "Query events",
      description: "What happened, who caused it and why, the newest last.",
      input: {
        since: z.string().max(64).default("1h").describe("10m, 2h, or a time such as 2026-01-31T10:00:00Z"),
        kinds: z.array(z.string().max(64)).max(20).default([]).describe("about resources of these kinds"),
        hosts: z.array(z.string().max(64)).max(50).default([]).describe("about these hosts or what is on them"),
        severity: z.enum(["info", "warning", "error"]).default("info").describe("that, and what is worse"),
        filter: z.string().max(2000).default("").describe('such as message:"out of memory"'),
        limit: z.number().int().min(1).max(500).default(50),
      },
      run: async ({ since, severity, kinds, limit, ...rest }) => {
        const least = {
          info: EventSeverity.EVENT_SEVERITY_INFO,
          warning: EventSeverity.EVENT_SEVERITY_WARNING,
          error: EventSeverity.EVENT_SEVERITY_ERROR,
        }[severity];
        const words = kinds.map((word) => parseKind(word, "get").singular);
        const query = EventQuery.fromPartial({
          ...rest,
          kinds: words,
          severity: least,
          since: parsePast("since", since),
        });
        const found = await newestEvents(await session.connect(), query, limit, () => session.readOptions());
        return { events: found.events.map((event) => Event.toJSON(event)), thereAreMore: found.more };
      },
    }),
    defineTool({
      name: "read_figures",
      title: "Read figures",
      description: `What a host, instance, lan, wire or link has used. Figures: ${allFigures.map(({ word }) => word).join(", ")}.`,
      input: {
        name: z.string().max(300).describe("alpha/vm1 (instance), alpha (host), lan:alpha/lan1, link:cable1"),
        figures: z.array(z.string().max(64)).max(10).default([]).describe("by their names; empty: all there are"),
        since: z.string().max(64).default("10m").describe("at most a day ago"),
        points: z.number().int().min(2).max(300).default(60),
      },
      run: async ({ name, figures, since, points }) => {
        const request = ReadHistoryRequest.fromPartial({
          name: measuredName("name", name),
          figures: figures.map(figureOf),
          startTime: parsePast("since", since),
          endTime: new Date(),
          maxPoints: points,
        });
        const response = await session.call(FiguresServiceService.readHistory, request);
        return Object(ReadHistoryResponse.toJSON(response));
      },
    }),
    defineTool({
      name: "diagnose_link",
      title: "Diagnose a link",
      description:
        "Walks a link between hosts hop by hop, tests each for real, and says what is broken and what to do.",
      input: { link: z.string().max(300) },
      run: async ({ link }) => {
        const name = await resolveName(session, kindNamed("link"), link);
        const signal = AbortSignal.any([session.io.signal, timeLimit(60_000)]);
        const steps: unknown[] = [];
        const stream = (await session.connect()).stream(LinkServiceService.diagnoseLink, { name }, { signal });
        for await (const response of stream) steps.push(DiagnoseLinkResponse.toJSON(response));
        return { name, steps };
      },
    }),
  ];
}

function figureOf(word: string) {
  const found = figureNamed(word);
  if (found !== undefined) return found.figure;
  throw invalidArgument(
    "figures",
    `there is no figure ${JSON.stringify(word)}; there are ${allFigures.map((each) => each.word).join(", ")}`,
  );
}
